module belfry/services/gateway

go 1.26.0

require (
	belfry/pkg/amqpbus v0.0.0
	belfry/pkg/daemon v0.0.0
	belfry/pkg/protocol v0.0.0
	belfry/pkg/settings v0.0.0
)

require (
	github.com/prometheus/client_golang v1.25.0 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	go.uber.org/zap v1.28.0 // indirect
	nhooyr.io/websocket v1.8.17 // indirect
)

replace (
	belfry/pkg/amqpbus => ../../pkg/amqpbus
	belfry/pkg/daemon => ../../pkg/daemon
	belfry/pkg/protocol => ../../pkg/protocol
	belfry/pkg/settings => ../../pkg/settings
)
