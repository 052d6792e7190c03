export function codeVersion(project: string): string;
