import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser';
import { ProblemsError } from './errors.ts';
import { type DocumentDescription, placeOf } from './jsonDocument.ts';

// A file of its own: only the command line reads what people write, and the functions' bundles do without the parser.

/** By the parser's names, which are no sentences. Those of comments and trailing commas are left out: both are allowed. */
const WORDS: Readonly<Record<string, string>> = {
  InvalidSymbol: 'neither a number nor a text in double quotes nor true, false or null',
  InvalidNumberFormat: 'not a number',
  PropertyNameExpected: 'expected a name in double quotes',
  ValueExpected: 'expected a value',
  ColonExpected: 'expected a colon behind the name',
  CommaExpected: 'expected a comma',
  CloseBraceExpected: 'expected a closing brace }',
  CloseBracketExpected: 'expected a closing bracket ]',
  EndOfFileExpected: 'expected the end of the document',
  UnexpectedEndOfComment: 'a comment that has no end',
  UnexpectedEndOfString: 'a text that has no end',
  UnexpectedEndOfNumber: 'a number that has no end',
  InvalidUnicode: 'an escape \\u without four hexadecimal digits',
  InvalidEscapeCharacter: 'no escape of JSON',
  InvalidCharacter: 'a control character within a text',
};

/**
 * A document that people write: JSON that may hold comments and commas behind the last item.
 * @throws Ncs4cvrError with the given code, naming line and column of every fault
 */
export function decodeCommentedJson(
  source: Uint8Array,
  description: Pick<DocumentDescription, 'code' | 'file'>,
): unknown {
  const text = new TextDecoder().decode(source);
  const errors: ParseError[] = [];
  const document: unknown = parsed(text, errors, description);
  if (errors.length === 0) return document;
  const faults = errors.map(({ error, offset }) => {
    const before = text.slice(0, offset).split('\n');
    return `line ${before.length}, column ${before.at(-1)!.length + 1}: ${WORDS[printParseErrorCode(error)] ?? 'not JSON'}`;
  });
  throw new ProblemsError(description.code, 'not JSON', faults, placeOf(description));
}

/** The parser calls itself for what lies within, and runs out of stack before memory. */
function parsed(
  text: string,
  errors: ParseError[],
  description: Pick<DocumentDescription, 'code' | 'file'>,
): unknown {
  try {
    return parse(text, errors, { allowTrailingComma: true });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const faults = ['lists or objects lie too deep in one another'];
    throw new ProblemsError(description.code, 'not JSON', faults, placeOf(description));
  }
}
