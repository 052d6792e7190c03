import { TASKS, type Task } from '../base/tasks.ts';
import type { ExpertsNetworkConfig } from './networkConfig.ts';

/** A dense parameter (trainable tensor outside the embedding matrix). */
export interface ParameterShape {
  readonly name: string;
  readonly shape: readonly number[];
  readonly role: 'trunk weight' | 'trunk bias' | 'gate' | 'head weight' | 'head bias';
}

/** Names of the experts that a task sees: the shared ones, then its own. */
export function expertsOf(task: Task, { shared, perTask }: ExpertsNetworkConfig): string[] {
  return [...expertNames('shared', shared), ...expertNames(task, perTask)];
}

/** The private layers of a task behind its experts, named as an expert is. */
export const towerName = (task: Task): string => `${task}.tower`;
export const layerWeightName = (stack: string, layer: number): string => `${stack}.${layer}.weight`;
export const layerBiasName = (stack: string, layer: number): string => `${stack}.${layer}.bias`;
export const gateWeightName = (task: Task): string => `${task}.gate.weight`;
export const gateBiasName = (task: Task): string => `${task}.gate.bias`;

/** Every dense parameter in front of the heads. @param inputWidth D */
export function expertParameters(config: ExpertsNetworkConfig, inputWidth: number): ParameterShape[] {
  const { shared, perTask, hidden, towers } = config;
  const experts = [
    ...expertNames('shared', shared),
    ...TASKS.flatMap((task) => expertNames(task, perTask)),
  ].flatMap((name) => layers(name, [inputWidth, ...hidden]));
  const count = shared + perTask;
  const gates = TASKS.flatMap((task): ParameterShape[] => [
    { name: gateWeightName(task), shape: [inputWidth, count], role: 'gate' },
    { name: gateBiasName(task), shape: [count], role: 'gate' },
  ]);
  return [
    ...experts,
    ...(count > 1 ? gates : []),
    ...TASKS.flatMap((task) => layers(towerName(task), [hidden.at(-1)!, ...towers])),
  ];
}

function expertNames(owner: 'shared' | Task, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${owner}.expert.${i}`);
}

function layers(stack: string, widths: readonly number[]): ParameterShape[] {
  return widths.slice(1).flatMap((width, layer): ParameterShape[] => [
    { name: layerWeightName(stack, layer), shape: [widths[layer]!, width], role: 'trunk weight' },
    { name: layerBiasName(stack, layer), shape: [width], role: 'trunk bias' },
  ]);
}
