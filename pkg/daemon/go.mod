module belfry/pkg/daemon

go 1.26

require (
	belfry/pkg/settings v0.0.0
	belfry/pkg/protocol v0.0.0
)

replace (
	belfry/pkg/settings => ../../pkg/settings
	belfry/pkg/protocol => ../../pkg/protocol
)
