"""Calls `tonic_login` with grpcio, without generated code: messages are bytes.

Usage: grpc_client.py HOST:PORT
"""

import sys

import grpc


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


def status(channel, message, rpc="Login", timeout=10, compression=None):
    """The name of the status that a call ends with."""
    call = channel.unary_unary(f"/accounts.Accounts/{rpc}")
    try:
        call(message, timeout=timeout, compression=compression)
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


def main(address):
    good = login("sandbox-9000")
    padded = good + text(3, "a" * 100) * 50
    with grpc.insecure_channel(address) as channel:
        answers = [
            ("a good login", "OK", status(channel, good)),
            ("compressed", "OK", status(channel, padded, compression=grpc.Compression.Gzip)),
            ("deflate is not read", "INVALID_ARGUMENT", status(channel, padded, compression=grpc.Compression.Deflate)),
            ("another phone's token", "PERMISSION_DENIED", status(channel, login("sandbox-9001"))),
            ("no proof", "INVALID_ARGUMENT", status(channel, b"")),
            ("a phone twice", "INVALID_ARGUMENT", status(channel, good + text(2, "13900000000"))),
            ("a phone of another type beside it", "INVALID_ARGUMENT", status(channel, good + varint(2, 13900000000))),
            ("not guarded", "OK", status(channel, b"", rpc="About")),
        ]
    for what, expected, answered in answers:
        if answered != expected:
            sys.exit(f"{what}: {answered}, not {expected}")
    print(len(answers), "calls as expected")


if __name__ == "__main__":
    main(sys.argv[1])
