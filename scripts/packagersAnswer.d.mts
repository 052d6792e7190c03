export function packagedTemplateFile(stage: string, params: readonly string[]): string;
export function resolvedSourcesFile(stage: string): string;
