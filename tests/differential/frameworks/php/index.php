<?php
// A login in PHP, read in every way that PHP offers. Takes every method, as a script does. Routed by its path, or by `s`
// in the query, as ThinkPHP is.

function who(callable $read): ?string
{
    $found = $read();
    return isset($found['phone']) && is_scalar($found['phone']) ? (string) $found['phone'] : null;
}

function form(string $body): array
{
    parse_str($body, $form);
    return $form;
}

// Of a path that several calls share: whom a login logs in.
function called($arguments): array
{
    return ($arguments['method'] ?? null) === 'login' ? $arguments : [];
}

ini_set('display_errors', '0');
// `/index.php/login` and `/login` are the same to a front controller.
$path = $_SERVER['PATH_INFO'] ?? rawurldecode(parse_url('http://host' . $_SERVER['REQUEST_URI'], PHP_URL_PATH) ?? '');
$routed = trim($_GET['s'] ?? '', '/') === 'login';
if (!$routed && strtolower(trim(preg_replace('#/+#', '/', $path), '/')) !== 'login') {
    echo '{}';
    return;
}
$body = file_get_contents('php://input');
$type = $_SERVER['CONTENT_TYPE'] ?? '';
// Laravel's `Request::isJson`.
$json = str_contains($type, '/json') || str_contains($type, '+json');
echo json_encode([
    '$_POST' => who(fn () => $_POST),
    '$_REQUEST' => who(fn () => $_REQUEST),
    '$_GET' => who(fn () => $_GET),
    'json of any type' => who(fn () => json_decode($body, true)),
    'form of any type' => who(fn () => form($body)),
    'Laravel' => who(fn () => $json ? json_decode($body, true) : $_POST),
    'call in json' => who(fn () => called(json_decode($body, true))),
    'call in $_REQUEST' => who(fn () => called($_COOKIE + $_REQUEST)),
    'call in any form' => who(fn () => called(form($body))),
    'folded' => isset($_REQUEST['phone_number']) ? (string) $_REQUEST['phone_number'] : null,
]);
