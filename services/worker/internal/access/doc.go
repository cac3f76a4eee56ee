// Package access decides which groups a user may see. What no rule allows is
// denied.
//
// A policy is a JSON object with a list of rules:
//
//	{"rules": [
//	  {"groups": ["jobs-status_changed", "jobs-summary"],   "allow": ["all"]},
//	  {"groups": ["control-limit_reached_{user}"],          "allow": ["all"]},
//	  {"groups": ["job_events-{int}"],                      "allow": ["claim", "application"]}
//	]}
//
// A rule is for the groups that one of its templates matches:
//
//	template = "*" | name "-" item
//	name     = text without a dash
//	item     = "*" | ( text | "{user}" | "{int}" )...
//
// `{user}` is the id that the user's token carries, inserted literally and
// never read as a pattern. `{int}` is a number without sign or leading zeros, at
// most 20 digits. A star stands only alone, as the whole item: any item. A
// template that is only a star is for every group whose name no other rule
// mentions, so a general rule never opens what a particular one guards.
// Text holds no star and no brace. Each placeholder comes once at most; between
// two there is text, and the text beside `{int}` does not touch it with a
// digit: so no two users' templates ever match the same group.
//
// A rule allows in one of three ways, tried in this order:
//
//   - "all": every user with a good token;
//   - "claim": the patterns in the token's groups claim, each "*", `name-*` or
//     one group as it is written;
//   - "application": the application says so, see Application.
//
// If several rules are for a group, one that allows is enough.
//
// An error means that the application could not be asked. It is no denial: the
// caller answers that subscriptions are unavailable, nothing changes, and
// nobody sees a group that was not allowed.
//
// Policy and Authorizer are fixed after they are built; everything here may be
// called concurrently.
package access
