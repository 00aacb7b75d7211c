"""Python's zeep as a plain client of Ping: ping.py WSDL TEXT [NAME:PASSWORD]. Calls twice, and prints the last reply."""

import sys

import requests
import zeep


def main(wsdl: str, text: str, credentials: str = "") -> None:
    session = requests.Session()
    if credentials:
        session.auth = tuple(credentials.split(":", 1))
    client = zeep.Client(wsdl, transport=zeep.Transport(session=session))
    client.service.Ping(origin="zeep", text=text)
    print(client.service.Ping(origin="zeep", text=text))


main(*sys.argv[1:])
