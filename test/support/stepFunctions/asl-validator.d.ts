// asl-validator ships no types; only what the tests use is declared.
declare module 'asl-validator' {
  export default function validate(definition: object): { isValid: boolean; errorsText: () => string };
}
