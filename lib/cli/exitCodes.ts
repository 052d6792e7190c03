/** Exit codes of every command; wrong usage is commander's to find. */
export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
