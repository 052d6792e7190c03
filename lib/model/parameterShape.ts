/** A dense parameter (trainable tensor outside the embedding matrix). */
export interface ParameterShape {
  readonly name: string;
  readonly shape: readonly number[];
  readonly role: 'trunk weight' | 'trunk bias' | 'gate' | 'head weight' | 'head bias';
}
