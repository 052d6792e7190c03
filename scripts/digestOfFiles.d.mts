export function digestOfFiles(root: string, paths: readonly string[], except?: readonly string[]): string;
