// npm's soap as a plain client: client.js WSDL NAME:PASSWORD. Prints what the calls gave, as JSON.
'use strict';

const soap = require('soap');

async function main() {
  const [wsdl, credentials] = process.argv.slice(2);
  const [name, password] = credentials.split(':');
  // The description is asked for without a name.
  const client = await soap.createClientAsync(wsdl);
  client.setSecurity(new soap.BasicAuthSecurity(name, password));
  const [, raw] = await client.BalanceAsync({ Account: 'savings' });
  const balance = /<[^>]*Balance[^>]*>(\d+)</.exec(raw)[1];
  let fault;
  try {
    await client.FailAsync({ Account: 'savings' });
  } catch (error) {
    fault = error.message;
  }
  console.log(JSON.stringify({ balance, fault }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
