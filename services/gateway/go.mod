module belfry/services/gateway

go 1.26.0

require (
	belfry/pkg/amqpbus v0.0.0
	belfry/pkg/daemon v0.0.0
	belfry/pkg/protocol v0.0.0
	belfry/pkg/settings v0.0.0
	github.com/prometheus/client_golang v1.25.0
	go.uber.org/goleak v1.3.0
	go.uber.org/zap v1.28.0
	nhooyr.io/websocket v1.8.17
)

require (
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/kelseyhightower/envconfig v1.4.0 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/prometheus/client_model v0.6.3 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/rabbitmq/amqp091-go v1.16.0 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace (
	belfry/pkg/amqpbus => ../../pkg/amqpbus
	belfry/pkg/daemon => ../../pkg/daemon
	belfry/pkg/protocol => ../../pkg/protocol
	belfry/pkg/settings => ../../pkg/settings
)
