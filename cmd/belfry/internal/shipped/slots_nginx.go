package shipped

import "path"

// ofNginx are the slots of nginx's files: on a host, in development, in
// containers.
func ofNginx() []slot {
	const (
		http, locations        = "deploy/nginx/http.conf", "deploy/nginx/locations.conf"
		development, inCompose = "deploy/nginx/development.conf", "deploy/compose/nginx.conf"
		production             = "deploy/nginx/production.conf"
		script, start          = "deploy/nginx/certificate", "deploy/development/nginx"
	)
	return []slot{
		{file: http, pattern: `upstream belfry_gateway \{\n    least_conn;\n((?:    \w.*\n)+)\}`, value: upstream(numbered(gatewayPort()))},
		{file: http, pattern: `upstream belfry_api \{\n    server 127\.0\.0\.1:(\d+);`, value: apiPort},

		{file: locations, pattern: `pings every (\d+) s and gives up`, value: seconds(pings())},
		{file: locations, pattern: `never silent for (\d+) s`, value: silence()},
		{file: locations, pattern: `proxy_connect_timeout 5s;\n    proxy_read_timeout (\d+)s;`, value: silence()},
		{file: locations, pattern: `proxy_send_timeout (\d+)s;`, value: silence()},
		{file: locations, pattern: `^location ~\* "\S+\*([a-z]+)\(\[\^a-z0-9_-\]\|\$\)" \{`, value: path.Base(path.Dir(authorizePath))},

		{file: development, pattern: `^# For development: ports (\d+) and`, value: devHTTP},
		{file: development, pattern: `^# For development: ports \d+ and (\d+),`, value: devHTTPS},
		{file: development, pattern: `listen 127\.0\.0\.1:(\d+);`, value: devHTTP},
		{file: development, pattern: `listen 127\.0\.0\.1:(\d+) ssl;`, value: devHTTPS},
		{file: development, pattern: `ssl_certificate (\S+);`, value: "../../" + nginxFiles + "/" + certificate},
		{file: development, pattern: `ssl_certificate_key (\S+);`, value: "../../" + nginxFiles + "/" + key},

		{file: inCompose, pattern: `server gateway:(\d+) `, value: gatewayPort()},
		{file: inCompose, pattern: `server api:(\d+);`, value: apiPort},
		{file: inCompose, pattern: `listen (\d+);`, value: devHTTP},
		{file: inCompose, pattern: `listen (\d+) ssl;`, value: devHTTPS},
		{file: inCompose, pattern: `ssl_certificate (\S+);`, value: "/" + nginxFiles + "/" + certificate},
		{file: inCompose, pattern: `ssl_certificate_key (\S+);`, value: "/" + nginxFiles + "/" + key},

		{file: production, pattern: `listen (?:\[::\]:)?(\d+);`, value: "80", times: 2},
		{file: production, pattern: `listen (?:\[::\]:)?(\d+) ssl;`, value: "443", times: 2},

		{file: script, pattern: `^dir=\$\{1:-(\S+)\}`, value: nginxFiles},
		{file: script, pattern: `-keyout "\$dir/(\S+)"`, value: key},
		{file: script, pattern: `-out "\$dir/(\S+)"`, value: certificate},
		{file: start, pattern: `development\.conf: ports (\d+) and`, value: devHTTP},
		{file: start, pattern: `^# (\d+) \(TLS`, value: devHTTPS},
		{file: start, pattern: `-p "\$PWD/(\S+)"`, value: nginxFiles},
	}
}
