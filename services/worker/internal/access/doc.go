// Package access decides which groups a user may see, by a policy. A group that no rule
// allows is denied.
//
// A policy is a JSON object with a list of rules:
//
//	{"rules": [
//	  {"groups": ["jobs-status_changed", "jobs-summary"],   "allow": ["all"]},
//	  {"groups": ["control-limit_reached_{user}"],          "allow": ["all"]},
//	  {"groups": ["job_events-{int}"],                      "allow": ["claim", "application"]}
//	]}
//
// A rule applies to the groups that one of its templates matches:
//
//	template = "*" | name "-" item
//	name     = text without a dash
//	item     = "*" | ( text | "{user}" | "{int}" )...
//
// `{user}` is the user's id from the token, inserted literally and never read as a
// pattern. `{int}` is a number without a sign or leading zeros, of at most 20
// digits. A star is always the whole item and matches any item. A template that is
// only a star matches every group whose name no other rule mentions, so that a
// general rule never allows a group that a specific rule protects.
// Text contains no star and no brace. Each placeholder is used at most once. There
// is text between two placeholders, and no digit next to `{int}`. Therefore no
// template gives the same group to two users.
//
// A rule allows in one of three ways, tried in this order:
//
//   - "all": every user with a good token;
//   - "claim": the patterns in the token's groups claim, each "*", `name-*` or
//     one group as it is written;
//   - "application": the application says so, see Application.
//
// If several rules apply to a group, one that allows it is enough.
//
// An error means that the application could not be asked. That is not a denial: the
// caller answers that subscriptions are unavailable, and nothing changes.
//
// Policy and Authorizer are fixed after they are built; everything here may be
// called concurrently.
package access
