// Package dev runs Belfry in one process, without a broker: a gateway and a worker
// over the broker's twin in memory, an HTTP address that accepts events, and a page
// to try it with.
//
// Vocabulary: a development default is an environment variable that Load sets if it
// is not set, so that gateway and worker read their configuration in the same way as
// separate processes do. The emit endpoint is `POST /emit/{group}` on the admin listener;
// it needs a secret. The page is at the admin listener's root.
//
// Nothing is stored: a restart begins with an empty broker. Load changes the
// process's environment and is called once, before Start. Start and Stop are called
// by one goroutine.
package dev
