/** Appends path segments to a folder's URI. */
export function joinUri(folder: string, ...segments: readonly string[]): string {
  return [folder.replace(/\/+$/, ''), ...segments].join('/');
}
