"""How amqps:// is spoken: the broker's certificate and its name are checked."""

import ssl
import typing


class Files(typing.NamedTuple):
    """PEM files, as BELFRY_AMQP_CA_FILE and so on name them; None: none."""

    authorities: typing.Optional[str] = None
    certificate: typing.Optional[str] = None
    key: typing.Optional[str] = None


def context(files):
    """The system's authorities (SSL_CERT_FILE is honoured), or those of the file alone.

    Raises OSError, of which ssl.SSLError is one, for a file that cannot be used.
    """
    made = ssl.create_default_context(cafile=files.authorities)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.certificate:
        made.load_cert_chain(files.certificate, files.key)
    return made
