module belfry/pkg/emitter

go 1.26

require (
	belfry/pkg/protocol v0.0.0
	belfry/pkg/amqpbus v0.0.0
)

replace (
	belfry/pkg/protocol => ../../pkg/protocol
	belfry/pkg/amqpbus => ../../pkg/amqpbus
)
