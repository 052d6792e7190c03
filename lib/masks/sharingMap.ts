import type { NetworkShape } from '../network/networkShape.ts';
import { trunkLayers } from '../network/networkShape.ts';
import type { TaskMasks } from '../network/taskMasks.ts';

/** Inputs that stand for one thing, and how their connections to the units of the layer are used. */
interface MapRow {
  /** Of the feature whose inputs they are, `cross` for products of features, or the units of the layer before. */
  readonly name: string;
  /** How many inputs. */
  readonly inputs: number;
  /** Kept by both tasks, by one alone, and by neither: connections. */
  readonly shared: number;
  readonly clickOnly: number;
  readonly conversionOnly: number;
  readonly dead: number;
  /**
   * Of neighbouring units of the layer, two digits for each block of them: per cent of the connections, 99 at most, that both
   * tasks keep, that the click task keeps alone, and the conversion task alone.
   */
  readonly sharedPercents: string;
  readonly clickPercents: string;
  readonly conversionPercents: string;
}

/** How the connections of one trunk layer are used, by their inputs. */
export interface LayerMap {
  /** From 0. */
  readonly layer: number;
  readonly inputWidth: number;
  readonly outputWidth: number;
  readonly rows: readonly MapRow[];
}

/** Blocks of units, and of inputs where these stand for nothing by themselves. */
const MOST_BLOCKS = 24;

/**
 * A picture of two masks, small enough for a bundle's manifest: the masks themselves are folded into the model. Inputs of the
 * first layer are put together by the feature that they come from, all others with their neighbours.
 */
export function sharingMap(shape: NetworkShape, masks: TaskMasks): LayerMap[] {
  return trunkLayers(shape).map(([inputWidth, outputWidth], layer) => ({
    ...{ layer, inputWidth, outputWidth },
    rows: (layer === 0 ? featureInputs(shape) : unitBlocks(inputWidth)).map(({ name, from, to }) => {
      const counts = { shared: 0, clickOnly: 0, conversionOnly: 0, dead: 0 };
      const percents = { shared: '', click: '', conversion: '' };
      for (const units of blocksOf(outputWidth)) {
        const here = countUses(masks, layer, outputWidth, { from, to }, units);
        const all = (to - from) * (units.to - units.from);
        for (const key of Object.keys(counts) as (keyof typeof counts)[]) counts[key] += here[key];
        percents.shared += percent(here.shared, all);
        percents.click += percent(here.clickOnly, all);
        percents.conversion += percent(here.conversionOnly, all);
      }
      return {
        ...{ name, inputs: to - from, ...counts },
        ...{
          sharedPercents: percents.shared,
          clickPercents: percents.click,
          conversionPercents: percents.conversion,
        },
      };
    }),
  }));
}

interface Range {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** Inputs of the first layer in their order (networkShape.ts): cross terms, each field's embedding, each numeric feature's two. */
function featureInputs({
  fieldNames,
  config,
  inputWidth,
  layout,
}: NetworkShape): (Range & { name: string })[] {
  if (config.kind === 'logistic') return [];
  const { numerics, denseWidth } = layout;
  const crossWidth = inputWidth - fieldNames.length * config.embeddingWidth - denseWidth;
  const named = [
    ...(crossWidth === 0 ? [] : [{ name: 'cross', width: crossWidth }]),
    ...fieldNames.map((name) => ({ name, width: config.embeddingWidth })),
    ...numerics.map(({ name }) => ({ name, width: denseWidth / numerics.length })),
  ];
  let to = 0;
  return named.map(({ name, width }) => {
    const from = to;
    to += width;
    return { name, from, to };
  });
}

function unitBlocks(width: number): (Range & { name: string })[] {
  return blocksOf(width).map(({ from, to }) => ({ name: `units ${from} to ${to - 1}`, from, to }));
}

/** At most MOST_BLOCKS ranges of neighbours, about equally long. */
function blocksOf(width: number): Range[] {
  const count = Math.min(MOST_BLOCKS, width);
  return Array.from({ length: count }, (_, block) => ({
    from: Math.floor((block * width) / count),
    to: Math.floor(((block + 1) * width) / count),
  }));
}

/** Masks are row-major, [inputs, outputs]. */
function countUses(
  { click, conversion }: TaskMasks,
  layer: number,
  outputWidth: number,
  inputs: Range,
  units: Range,
) {
  const counts = { shared: 0, clickOnly: 0, conversionOnly: 0, dead: 0 };
  const [ofClick, ofConversion] = [click[layer]!, conversion[layer]!];
  for (let input = inputs.from; input < inputs.to; input++) {
    for (let unit = units.from; unit < units.to; unit++) {
      const at = input * outputWidth + unit;
      const [isClick, isConversion] = [ofClick[at] === 1, ofConversion[at] === 1];
      if (isClick) counts[isConversion ? 'shared' : 'clickOnly']++;
      else counts[isConversion ? 'conversionOnly' : 'dead']++;
    }
  }
  return counts;
}

function percent(count: number, all: number): string {
  return String(Math.min(99, Math.round((100 * count) / all))).padStart(2, '0');
}
