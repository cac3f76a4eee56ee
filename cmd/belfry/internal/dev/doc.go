// Package dev runs Belfry in one process, without a broker: a gateway and a
// worker over the broker's twin in memory, a door for events, and a page to
// look at.
//
// Vocabulary: a default of development is an environment variable that Load
// sets where it is not set, so that gateway and worker read one configuration,
// as they do as separate processes. The door is `POST /emit/{group}` on the
// admin listener, opened by a secret. The page is what a browser shows at the
// admin listener's root.
//
// Nothing is kept: a restart begins empty. Load changes the process's
// environment and is called once, before Start; Start and Stop are called by
// one goroutine.
package dev
