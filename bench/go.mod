module belfry/bench

go 1.26.0

require (
	belfry/pkg/amqpbus v0.0.0
	github.com/rabbitmq/amqp091-go v1.16.0
)

require belfry/pkg/protocol v0.0.0 // indirect

replace (
	belfry/pkg/amqpbus => ../pkg/amqpbus
	belfry/pkg/protocol => ../pkg/protocol
)
