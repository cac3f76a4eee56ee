module belfry/e2e

go 1.26.0

require (
	belfry/pkg/amqpbus v0.0.0
	belfry/pkg/emitter v0.0.0
	belfry/pkg/protocol v0.0.0
	belfry/services/gateway v0.0.0
	belfry/services/worker v0.0.0
)

require (
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/prometheus/client_golang v1.25.0 // indirect
	github.com/prometheus/client_model v0.6.3 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/rabbitmq/amqp091-go v1.16.0 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	go.uber.org/zap v1.28.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace (
	belfry/pkg/amqpbus => ../pkg/amqpbus
	belfry/pkg/daemon => ../pkg/daemon
	belfry/pkg/emitter => ../pkg/emitter
	belfry/pkg/protocol => ../pkg/protocol
	belfry/pkg/settings => ../pkg/settings
	belfry/pkg/tracing => ../pkg/tracing
	belfry/services/gateway => ../services/gateway
	belfry/services/worker => ../services/worker
)
