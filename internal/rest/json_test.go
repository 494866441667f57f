package rest

import "testing"

func TestMembersThatComeTwiceAreRefused(t *testing.T) {
	for body, ok := range map[string]bool{
		`{}`:                                    true,
		`[]`:                                    true,
		`"a"`:                                   true,
		`{"a":1,"b":2}`:                         true,
		`{"a":"b","b":"a"}`:                     true,
		`{"a":{"a":1},"b":{"a":1}}`:             true,
		`{"a":[{"a":1},{"a":1}],"b":["a","a"]}`: true,
		`{"a":[],"b":{},"c":[[]],"d":null}`:     true,
		`{"a":["x"],"x":1}`:                     true,
		`{"a":1,"a":2}`:                         false,
		`{"a":1,"\u0061":2}`:                    false,
		`{"a":{"b":1,"b":2}}`:                   false,
		`[{"a":1},{"a":[],"a":{}}]`:             false,
		`{"a":{"b":1},"a":1}`:                   false,
		`{"a":["a"],"b":{"c":[1]},"b":true}`:    false,
		`{"a":"x","b":"a","c":"b","a":"x","d":1}`: false,
	} {
		var v any
		if err := strictJSON.Unmarshal([]byte(body), &v); (err == nil) != ok {
			t.Errorf("%s: %v", body, err)
		}
	}
}
