package api_test

import (
	"fmt"
	"net/http"
	"testing"
)

func TestSchedulesAreTheirOwnersAndChangesAreTold(t *testing.T) {
	tw := start(t)
	alice, bob, carol := tw.login("alice"), tw.login("bob"), tw.login("carol")
	made := bob.want(http.StatusCreated, "POST", "/api/schedules", map[string]any{"template": "fail", "every": 90}).(map[string]any)
	id, at := made["id"], fmt.Sprintf("/api/schedules/%v", made["id"])
	if made["by"] != "bob" || made["template"] != "fail" || made["every"] != 90.0 || made["enabled"] != true {
		t.Errorf("made %v", made)
	}
	for _, path := range []string{at, "/api/schedules/999"} {
		carol.want(http.StatusNotFound, "PATCH", path, map[string]any{"enabled": false})
		carol.want(http.StatusNotFound, "DELETE", path, nil)
	}
	if all := carol.want(http.StatusOK, "GET", "/api/schedules", nil).([]any); len(all) != 0 {
		t.Errorf("carol sees %v", all)
	}
	bob.want(http.StatusOK, "PATCH", at, map[string]any{"enabled": false})
	all := alice.want(http.StatusOK, "GET", "/api/schedules", nil).([]any)
	if len(all) != 1 || all[0].(map[string]any)["enabled"] != false {
		t.Errorf("alice sees %v", all)
	}
	alice.want(http.StatusOK, "PATCH", at, map[string]any{"enabled": true})
	bob.want(http.StatusNoContent, "DELETE", at, nil)
	bob.want(http.StatusNotFound, "DELETE", at, nil)

	told := tw.waitEmitted("schedules-changed", func(all []map[string]any) bool { return len(all) >= 4 })
	if len(told) != 4 { // made, off, on, deleted; what was refused changed nothing
		t.Errorf("told %v", told)
	}
	for _, payload := range told {
		if payload["group_name"] != "schedules" || payload["id"] != id || len(payload) != 2 {
			t.Errorf("told %v, want schedule %v", payload, id)
		}
	}
}

func TestSchedulesHaveBounds(t *testing.T) {
	tw := start(t)
	bob := tw.login("bob")
	for _, wrong := range []any{
		map[string]any{"template": "fail", "every": 4}, map[string]any{"template": "fail", "every": 86401},
		map[string]any{"template": "fail"}, map[string]any{"template": "rm -rf", "every": 60},
		`{"template":"fail","every":1.5}`, `{"template":"fail","every":60}{}`,
	} {
		bob.want(http.StatusBadRequest, "POST", "/api/schedules", wrong)
	}
	for range 20 {
		bob.want(http.StatusCreated, "POST", "/api/schedules", map[string]any{"template": "fail", "every": 3600})
	}
	bob.want(http.StatusConflict, "POST", "/api/schedules", map[string]any{"template": "fail", "every": 3600})
	tw.login("carol").want(http.StatusCreated, "POST", "/api/schedules", map[string]any{"template": "fail", "every": 3600})
	bob.want(http.StatusBadRequest, "PATCH", "/api/schedules/1", map[string]any{})
	bob.want(http.StatusBadRequest, "PATCH", "/api/schedules/x", map[string]any{"enabled": true})
}
