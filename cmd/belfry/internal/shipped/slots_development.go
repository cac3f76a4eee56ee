package shipped

// ofDevelopment are the slots of the Procfile's environment and broker, of the
// samples that lead to the example, and of the example itself.
func ofDevelopment() []slot {
	const broker, server, api = "deploy/development/broker", "examples/tower/server.go", "examples/tower/api/api.go"
	return []slot{
		{file: ".env", pattern: `^BELFRY_AMQP_URL=\S+@127\.0\.0\.1:(\d+)/`, value: devBroker},
		{file: ".env", pattern: `^BELFRY_TRUSTED_PROXIES=(\S+)`, value: loopback},
		{file: ".env", pattern: `^BELFRY_AUTHORIZE_URL=http://127\.0\.0\.1:(\S+)`, value: apiPort + authorizePath},
		{file: "deploy/etc/gateway.env", pattern: `^BELFRY_TRUSTED_PROXIES=(\S+)`, value: loopback},
		{file: "deploy/etc/worker.env", pattern: `^BELFRY_AUTHORIZE_URL=http://127\.0\.0\.1:(\S+)`, value: apiPort + authorizePath},
		{file: broker, pattern: `port (\d+) on loopback`, value: devBroker},
		{file: broker, pattern: `listeners\.tcp\.default = 127\.0\.0\.1:(\d+)`, value: devBroker},
		{file: broker, pattern: `RABBITMQ_NODE_PORT=(\d+)`, value: devBroker},
		{file: "deploy/rabbitmq/rabbitmq.conf", pattern: `^listeners\.tcp\.default = (\d+)`, value: brokerPort},
		{file: "examples/tower/serve.go", pattern: `Name: "listen", Value: "127\.0\.0\.1:(\d+)"`, value: apiPort},
		{file: "examples/tower/demo.go", pattern: `Name: "listen", Value: "127\.0\.0\.1:(\d+)"`, value: apiPort},
		{file: server, pattern: `^const stopWithin = (\d+) \* time\.Second`, value: seconds(apiStops)},
		{file: api, pattern: `HandleFunc\("POST (/[\w/]+)", a\.authorize`, value: authorizePath},
		{file: api, pattern: `HandleFunc\("GET (/\w+)", func`, value: apiHealth},
	}
}

func slots() (out []slot) {
	for _, part := range [][]slot{ofNginx(), ofContainers(), ofHosts(), ofDevelopment()} {
		out = append(out, part...)
	}
	return out
}
