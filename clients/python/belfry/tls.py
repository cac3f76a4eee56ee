"""TLS for amqps://. The broker's certificate and host name are verified."""

import ssl
import typing


class Files(typing.NamedTuple):
    """The PEM files in BELFRY_AMQP_CA_FILE, _CERT_FILE and _KEY_FILE; None if not set."""

    authorities: typing.Optional[str] = None
    certificate: typing.Optional[str] = None
    key: typing.Optional[str] = None


def context(files):
    """Returns an SSL context that trusts the authorities in the file or, without one, the
    system's (SSL_CERT_FILE is honoured).

    Raises OSError (ssl.SSLError is one) if a file cannot be used.
    """
    made = ssl.create_default_context(cafile=files.authorities)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.certificate:
        made.load_cert_chain(files.certificate, files.key)
    return made
