import { RandomStream } from '../../lib/random.ts';

/** A synthetic impression: what the logs hold, and the two probabilities that only the generator knows. */
export interface Impression {
  readonly impressionId: number;
  readonly userId: number;
  /** Missing for some users. */
  readonly age: number | undefined;
  readonly city: string;
  readonly itemId: number;
  readonly category: string;
  /** Missing for some items. */
  readonly price: number | undefined;
  readonly hour: number;
  readonly position: number;
  readonly recentItemIds: readonly number[];
  readonly tags: readonly string[];
  readonly click: 0 | 1;
  /** 0 without a click. */
  readonly conversion: 0 | 1;
  readonly truePctr: number;
  readonly truePcvr: number;
}

const USERS = 800;
const ITEMS = 300;
const CITIES = 15;
const CATEGORIES = 12;
const TAGS = 24;
const DECADES = 8;
const TASTES = 3;

interface User {
  readonly age: number;
  readonly city: number;
  readonly taste: readonly number[];
}

interface Item {
  readonly category: number;
  readonly price: number;
  readonly tags: readonly number[];
  readonly appeal: readonly number[];
  /** Raises clicks and lowers conversions: the tasks pull one feature in opposite directions. */
  readonly clickbait: number;
}

/**
 * A small world of users and items with seeded tastes, from which any number of days of impressions can be drawn.
 * Clicks follow taste, position and clickbait; conversions follow taste, price and the opposite of clickbait.
 */
export class SyntheticFunnel {
  readonly #random: RandomStream;
  readonly #users: readonly User[];
  readonly #items: readonly Item[];
  readonly #cityTaste: readonly number[];
  readonly #hourTaste: readonly (readonly number[])[];
  readonly #recent: number[][];
  #nextImpressionId = 1;

  constructor(seed: number) {
    const random = new RandomStream(seed);
    const normals = (count: number) => Array.from({ length: count }, () => random.nextNormal());
    this.#random = random;
    const cityVectors = Array.from({ length: CITIES }, () => normals(TASTES));
    const decadeVectors = Array.from({ length: DECADES }, () => normals(TASTES));
    this.#users = Array.from({ length: USERS }, () => {
      const age = 16 + random.nextBelow(60);
      const city = random.nextBelow(CITIES);
      const decade = decadeVectors[Math.floor(age / 10)]!;
      const own = normals(TASTES);
      const taste = own.map((value, k) => 0.7 * cityVectors[city]![k]! + 0.6 * decade[k]! + 0.4 * value);
      return { age, city, taste };
    });
    const categoryAppeal = Array.from({ length: CATEGORIES }, () => normals(TASTES));
    this.#items = Array.from({ length: ITEMS }, () => {
      const category = random.nextBelow(CATEGORIES);
      return {
        category,
        price: Math.exp(2 + random.nextNormal()),
        tags: [2 * category, 2 * category + 1, random.nextBelow(TAGS)].slice(0, 1 + random.nextBelow(3)),
        appeal: categoryAppeal[category]!.map((appeal) => 0.9 * appeal + 0.3 * random.nextNormal()),
        clickbait: random.nextNormal(),
      };
    });
    this.#cityTaste = normals(CITIES);
    this.#hourTaste = Array.from({ length: 24 }, () => normals(CATEGORIES));
    this.#recent = Array.from({ length: USERS }, () => []);
  }

  /** The next `count` impressions. */
  *impressions(count: number): Generator<Impression> {
    for (let i = 0; i < count; i++) yield this.#next();
  }

  #next(): Impression {
    const random = this.#random;
    // A few users and items get most impressions, as in real logs.
    const userIndex = Math.floor(USERS * random.nextUniform() ** 1.5);
    const itemIndex = Math.floor(ITEMS * random.nextUniform() ** 2);
    const user = this.#users[userIndex]!;
    const item = this.#items[itemIndex]!;
    const hour = random.nextBelow(24);
    const position = random.nextBelow(10);
    const match = user.taste.reduce((sum, taste, k) => sum + taste * item.appeal[k]!, 0) / 2;
    const truePctr = sigmoid(
      -1.6 + match + 0.7 * item.clickbait - 0.12 * position + 0.3 * this.#hourTaste[hour]![item.category]!,
    );
    const logPrice = Math.log(item.price) - 2;
    const truePcvr = sigmoid(
      -1.4 + 0.9 * match - 0.8 * item.clickbait - 0.7 * logPrice + 0.5 * this.#cityTaste[user.city]!,
    );
    const click = random.nextUniform() < truePctr ? 1 : 0;
    const conversion = random.nextUniform() < truePcvr && click === 1 ? 1 : 0;
    const recentItemIds = [...this.#recent[userIndex]!];
    if (click === 1) this.#recent[userIndex] = [itemIndex, ...recentItemIds].slice(0, 8);
    return {
      impressionId: this.#nextImpressionId++,
      userId: userIndex,
      age: user.age % 9 === 0 ? undefined : user.age,
      city: `city-${user.city}`,
      itemId: itemIndex,
      category: `category-${item.category}`,
      price: itemIndex % 25 === 0 ? undefined : item.price,
      hour,
      position,
      recentItemIds,
      tags: item.tags.map((tag) => `tag-${tag}`),
      click,
      conversion,
      truePctr,
      truePcvr,
    };
  }
}

function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}
