// npm's soap as a plain client of Ping: ping.js WSDL TEXT [NAME:PASSWORD]. Calls twice, and prints the last reply.
'use strict';

const soap = require('soap');

async function main() {
  const [wsdl, text, credentials] = process.argv.slice(2);
  const client = await soap.createClientAsync(wsdl);
  if (credentials) {
    client.setSecurity(new soap.BasicAuthSecurity(...credentials.split(':')));
  }
  await client.PingAsync({ origin: 'soap', text });
  const [reply] = await client.PingAsync({ origin: 'soap', text });
  console.log(reply.text);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
