// The identity provider of the recipe single-sign-on: panva's certified oidc-provider with its own
// forms, which let anybody in under the name that they give.
// Usage: node provider.js <address> <certificate> <key> <client's https origin> <client's secret>
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { Provider } from 'oidc-provider';

const [address, cert, key, origin, secret] = process.argv.slice(2);

const provider = new Provider(`https://${address}`, {
  clients: [{
    client_id: 'osproxy',
    client_secret: secret,
    redirect_uris: [`${origin}/oidc/callback`],
    post_logout_redirect_uris: [`${origin}/Portal/Goodbye.aspx`],
  }],
  claims: { openid: ['sub'], email: ['email'] },
  findAccount: (context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.com` }),
  }),
  cookies: { keys: ['of-the-test'] },
});

createServer({ cert: readFileSync(cert), key: readFileSync(key) }, provider.callback())
  .listen(443, address);
