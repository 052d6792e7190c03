// Puts what the built command reads beside it: from dist/lib, infra/ is dist/infra/ as it is infra/ from lib.
import { cpSync } from 'node:fs';

cpSync('infra/prices.json', 'dist/infra/prices.json');
