// Each line of a file of receipts, checked with npm's jose: a compact JWS, EdDSA, by this key.
//   node check_receipt.mjs NODE_MODULES KEY_HEX FILE      prints how many; exit 1 at the first bad one
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [modules, key, file] = process.argv.slice(2);
const entry = createRequire(pathToFileURL(modules + '/x.js')).resolve('jose');
const { compactVerify, importJWK } = await import(pathToFileURL(entry));
const x = Buffer.from(key, 'hex').toString('base64url');
const jwk = await importJWK({ kty: 'OKP', crv: 'Ed25519', x }, 'EdDSA');
const lines = readFileSync(file, 'ascii').split('\n').filter((l) => l);
for (const [i, line] of lines.entries()) {
    try {
        const { payload, protectedHeader } = await compactVerify(line, jwk);
        if (protectedHeader.typ !== 'potluck-receipt+1') throw new Error('not a receipt');
        if (protectedHeader.kid !== key) throw new Error('names another key');
        if (!Number.isInteger(JSON.parse(new TextDecoder().decode(payload)).seq))
            throw new Error('has no number');
    } catch (e) {
        console.error(`receipt ${i + 1}: ${e.message}`);
        process.exit(1);
    }
}
console.log(`${lines.length} receipts`);
