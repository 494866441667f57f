package scope_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"counterfoil.dev/counterfoil/internal/scope"
)

func TestNameHasOneSpelling(t *testing.T) {
	for _, good := range []string{"a", "jobs.replay-job", "block_storage:read", "A.9", strings.Repeat("x", scope.MaxName)} {
		name, err := scope.ParseName(good)
		if err != nil || string(name) != good {
			t.Errorf("ParseName(%q) = %q, %v; want the same name", good, name, err)
		}
	}
	for _, bad := range []string{"", " a", "a b", "a/b", "a\n", "é", "a,b", "*", strings.Repeat("x", scope.MaxName+1)} {
		if name, err := scope.ParseName(bad); err == nil || name != "" {
			t.Errorf("ParseName(%q) = %q, %v; want a refusal and no name", bad, name, err)
		}
	}
}

func TestZeroSetHoldsNothing(t *testing.T) {
	var zero scope.Set
	if zero.Has(0) || zero.Len() != 0 || zero.Covers(scope.Of(0)) {
		t.Errorf("the zero set holds something: %v", zero)
	}
	if !zero.Covers(scope.Of()) || zero.Key() != scope.Of().Key() {
		t.Error("the zero set is not the empty set")
	}
}

func TestNegativeBitPanics(t *testing.T) {
	for _, members := range [][]int{{-1}, {3, -1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Of(%v) made a set", members)
				}
			}()
			scope.Of(members...)
		}()
	}
}

// TestSetIsASet compares every operation with the same operation on a map.
func TestSetIsASet(t *testing.T) {
	draw := rapid.SliceOfN(rapid.IntRange(0, 200), 0, 40)
	rapid.Check(t, func(t *rapid.T) {
		as, bs := draw.Draw(t, "a"), draw.Draw(t, "b")
		a, b, both := scope.Of(as...), scope.Of(bs...), scope.Of(slices.Concat(as, bs)...)

		in := func(members []int, bit int) bool { return slices.Contains(members, bit) }
		covers, count := true, 0
		for bit := range 260 {
			if a.Has(bit) != in(as, bit) {
				t.Fatalf("Of(%v).Has(%d) = %v", as, bit, a.Has(bit))
			}
			covers = covers && (!in(bs, bit) || in(as, bit))
			if in(as, bit) {
				count++
			}
		}
		if a.Covers(b) != covers {
			t.Fatalf("%v.Covers(%v) = %v", a, b, !covers)
		}
		if a.Len() != count {
			t.Fatalf("%v.Len() = %d, want %d", a, a.Len(), count)
		}
		if u := a.Union(b); u.Key() != both.Key() || !u.Covers(a) || !u.Covers(b) || u.String() != both.String() {
			t.Fatalf("%v ∪ %v = %v, want %v", a, b, u, both)
		}
		if same := covers && b.Covers(a); (a.Key() == b.Key()) != same {
			t.Fatalf("keys of %v and %v: equal is %v", a, b, !same)
		}
	})
}

func TestAskingDoesNotAllocate(t *testing.T) {
	a, b := scope.Of(1, 70, 140), scope.Of(70)
	if n := testing.AllocsPerRun(100, func() { _ = a.Covers(b) && a.Has(140) && a.Len() == 3 }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
