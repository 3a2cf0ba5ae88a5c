<?php
// Reads bodies as PHP applications do. One question a line, one answer a line: see peers.rs.

function part(mixed $value): mixed
{
    return match (true) {
        $value === null => null,
        is_string($value), is_int($value) => base64_encode((string) $value),
        default => ['other' => substr(json_encode($value, JSON_PARTIAL_OUTPUT_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION), 0, 80)],
    };
}

function member(mixed $document, string $path): mixed
{
    foreach (explode('/', $path) as $name) {
        if (is_object($document)) {
            $document = $document->{$name} ?? null;
        } else {
            $document = is_array($document) ? $document[$name] ?? null : null;
        }
    }
    return $document;
}

function parts(mixed $document, array $names): ?array
{
    if (!is_array($document) && !is_object($document)) {
        return null;
    }
    return array_map(fn (string $name) => part(member($document, $name)), $names);
}

function answer(string $kind, string $body, array $names): array
{
    if ($kind === 'json') {
        return [
            'json_decode' => parts(json_decode($body, true), $names),
            'json_decode to objects' => parts(json_decode($body), $names),
        ];
    }
    parse_str($body, $form);
    return ['parse_str' => parts($form, $names)];
}

ini_set('display_errors', '0');
echo json_encode('PHP ' . PHP_VERSION), "\n";
while (($line = fgets(STDIN)) !== false) {
    [$kind, $body, $token, $phone] = explode(' ', rtrim($line, "\n"));
    echo json_encode(answer($kind, base64_decode(substr($body, 1)), [$token, $phone])), "\n";
}
