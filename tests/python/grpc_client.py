"""Calls `tonic_login` with grpcio, without generated code: messages are bytes.

Usage: grpc_client.py HOST:PORT
"""

import sys

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_status import rpc_status


def text(number, value):
    """A field of a string."""
    value = value.encode()
    return bytes([number << 3 | 2, len(value)]) + value


def varint(number, value):
    """A field of an unsigned integer."""
    field = [number << 3]
    while value >= 0x80:
        field.append(0x80 | value & 0x7F)
        value >>= 7
    return bytes([*field, value])


def login(token, phone="13800000000"):
    return text(1, token) + text(2, phone)


def details(error):
    """The reason and the seconds to wait, as far as the details of a refused call have them."""
    said = []
    # It raises an exception if code or message differ from those of the call.
    for detail in rpc_status.from_call(error).details:
        info, retry = ErrorInfo(), RetryInfo()
        if detail.Unpack(info):
            said.append(f"{info.domain}/{info.reason}")
        elif detail.Unpack(retry):
            said.append(f"{retry.retry_delay.ToTimedelta().total_seconds():.0f} s")
    return " ".join(said)


def status(channel, message, rpc="Login", timeout=10, compression=None):
    """The name of the status that a call ends with, and its details."""
    call = channel.unary_unary(f"/accounts.Accounts/{rpc}")
    try:
        call(message, timeout=timeout, compression=compression)
    except grpc.RpcError as error:
        return f"{error.code().name} {details(error)}"
    return "OK"


def main(address):
    good = login("sandbox-9000")
    padded = good + text(3, "a" * 100) * 50
    with grpc.insecure_channel(address) as channel:
        answers = [
            ("a good login", "OK", status(channel, good)),
            ("compressed", "OK", status(channel, padded, compression=grpc.Compression.Gzip)),
            ("deflate is not read", "INVALID_ARGUMENT jverify/unsupported_encoding", status(channel, padded, compression=grpc.Compression.Deflate)),
            ("another phone's token", "PERMISSION_DENIED jverify/verification_failed", status(channel, login("sandbox-9001"))),
            ("too often", "RESOURCE_EXHAUSTED jverify/throttled 30 s", status(channel, login("sandbox-9005"))),
            ("no proof", "INVALID_ARGUMENT jverify/proof_missing", status(channel, b"")),
            ("a phone twice", "INVALID_ARGUMENT jverify/proof_malformed", status(channel, good + text(2, "13900000000"))),
            ("a phone of another type beside it", "INVALID_ARGUMENT jverify/proof_malformed", status(channel, good + varint(2, 13900000000))),
            ("not guarded", "OK", status(channel, b"", rpc="About")),
        ]
    for what, expected, answered in answers:
        if answered != expected:
            sys.exit(f"{what}: {answered}, not {expected}")
    print(len(answers), "calls as expected")


if __name__ == "__main__":
    main(sys.argv[1])
