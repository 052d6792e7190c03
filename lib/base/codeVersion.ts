/** This package's version, as in package.json (a test holds them equal); recorded in bundles and predictions. */
export const CODE_VERSION = '0.1.0';
