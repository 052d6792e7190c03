/** Hidden files, unfinished ones (`.name.uuid.tmp`) and the markers of other engines (`_SUCCESS`, `_temporary`). */
export function isHidden(name: string): boolean {
  return name.startsWith('.') || name.startsWith('_');
}
