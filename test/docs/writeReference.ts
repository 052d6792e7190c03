// npm run docs:reference: writes docs/reference anew. reference.test.ts fails as long as that would change it.
import { writeFileSync } from 'node:fs';
import { commandsPage } from './commandsPage.ts';
import { documentsPage } from './documentsPage.ts';

writeFileSync('docs/reference/documents.md', documentsPage().page);
writeFileSync('docs/reference/commands.md', await commandsPage());
