"""Python's zeep as a plain client: client.py WSDL NAME:PASSWORD. Prints what the calls gave, as JSON."""

import json
import sys

import requests
import zeep


def main(wsdl: str, credentials: str) -> None:
    session = requests.Session()
    session.auth = tuple(credentials.split(":", 1))
    client = zeep.Client(wsdl, transport=zeep.Transport(session=session))
    reply = client.service.Balance(Account="savings")
    try:
        client.service.Fail(Account="savings")
        fault = None
    except zeep.exceptions.Fault as error:
        fault = error.message
    print(json.dumps({"balance": str(reply), "fault": fault}))


main(sys.argv[1], sys.argv[2])
