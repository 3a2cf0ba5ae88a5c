<?php
// Reads bodies as PHP applications do, in two ways. From the command line it is asked one question a line, and answers
// one a line: see peers.rs. As the script of PHP's own server it reads the request itself, and the names to look for
// from the headers `x-names`; only so are there `$_POST` and `php://input`.

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

// In a form a field may also go by the last name on its way.
function either(mixed $document, string $path): mixed
{
    return member($document, $path) ?? member($document, basename($path));
}

function parts(mixed $document, array $names, string $read = 'member'): ?array
{
    if (!is_array($document) && !is_object($document)) {
        return null;
    }
    return array_map(fn (string $name) => part($read($document, $name)), $names);
}

function answer(string $body, array $names): array
{
    parse_str($body, $form);
    return [
        'json_decode' => parts(json_decode($body, true), $names),
        'json_decode to objects' => parts(json_decode($body), $names),
        'parse_str' => parts($form, $names, 'either'),
    ];
}

function served(array $names): array
{
    $type = $_SERVER['CONTENT_TYPE'] ?? '';
    $body = file_get_contents('php://input');
    // Laravel's `Request::isJson`.
    $json = str_contains($type, '/json') || str_contains($type, '+json');
    return [
        '$_POST' => parts($_POST, $names, 'either'),
        '$_REQUEST' => parts($_REQUEST, $names, 'either'),
        'Laravel' => parts($json ? json_decode($body, true) : $_POST, $names, $json ? 'member' : 'either'),
    ];
}

ini_set('display_errors', '0');
if (PHP_SAPI !== 'cli') {
    echo json_encode(served(explode(' ', $_SERVER['HTTP_X_NAMES'])));
    return;
}
echo json_encode('PHP ' . PHP_VERSION), "\n";
while (($line = fgets(STDIN)) !== false) {
    [, $body, $token, $phone] = explode(' ', rtrim($line, "\n"));
    echo json_encode(answer(base64_decode(substr($body, 1)), [$token, $phone])), "\n";
}
