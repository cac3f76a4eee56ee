module belfry/cmd/belfry

go 1.26

require (
	belfry/pkg/protocol v0.0.0
	belfry/pkg/amqpbus v0.0.0
	belfry/pkg/daemon v0.0.0
	belfry/pkg/settings v0.0.0
	belfry/pkg/emitter v0.0.0
	belfry/services/gateway v0.0.0
	belfry/services/worker v0.0.0
)

replace (
	belfry/pkg/protocol => ../../pkg/protocol
	belfry/pkg/amqpbus => ../../pkg/amqpbus
	belfry/pkg/daemon => ../../pkg/daemon
	belfry/pkg/settings => ../../pkg/settings
	belfry/pkg/emitter => ../../pkg/emitter
	belfry/services/gateway => ../../services/gateway
	belfry/services/worker => ../../services/worker
)
