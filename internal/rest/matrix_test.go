package rest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/examples/catalogue"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/authority"
)

// acts calls each gated action over the API. What they name need not exist: the gate stands before.
func acts(documents []byte) map[audit.Action]func(context.Context, *api.Client) error {
	const sid = "0000000000000000000000"
	second := func(_ any, err error) error { return err }
	role := api.RoleAnalyst
	allow := true
	return map[audit.Action]func(context.Context, *api.Client) error{
		audit.CreateAccount: func(ctx context.Context, c *api.Client) error {
			return second(c.CreateAccount(ctx, api.AccountCreate{ID: agency, Kind: api.KindAgency, Name: "Twice"}))
		},
		audit.EditAccount: func(ctx context.Context, c *api.Client) error {
			return second(c.EditAccount(ctx, agency, api.AccountEdit{Revision: 999}))
		},
		audit.SuspendAccount: func(ctx context.Context, c *api.Client) error {
			return second(c.SuspendAccount(ctx, other, api.Why{}))
		},
		audit.ResumeAccount: func(ctx context.Context, c *api.Client) error { return second(c.ResumeAccount(ctx, agency)) },
		audit.CreateManagement: func(ctx context.Context, c *api.Client) error {
			return second(c.CreateManagement(ctx, api.ManagementCreate{Agency: agency, Brand: brand}))
		},
		audit.EndManagement: func(ctx context.Context, c *api.Client) error { return second(c.EndManagement(ctx, agency, 999)) },
		audit.WithholdScope: func(ctx context.Context, c *api.Client) error {
			return c.WithholdScope(ctx, agency, api.WithheldScope{API: "agency", Scope: "no.such"})
		},
		audit.ReleaseScope: func(ctx context.Context, c *api.Client) error {
			return c.ReleaseScope(ctx, agency, api.WithheldScope{API: "agency", Scope: "no.such"})
		},
		audit.PublishCatalogue: func(ctx context.Context, c *api.Client) error {
			return second(c.DiffCatalogue(ctx, api.CatalogUpload{Documents: documents}))
		},
		audit.InviteMember: func(ctx context.Context, c *api.Client) error {
			return c.ResendInvitation(ctx, "NOBODY")
		},
		audit.ChangeRole: func(ctx context.Context, c *api.Client) error {
			return second(c.EditMember(ctx, "NOBODY", api.MemberEdit{Role: &role}))
		},
		audit.ChangeAllowSensitive: func(ctx context.Context, c *api.Client) error {
			return second(c.EditMember(ctx, "NOBODY", api.MemberEdit{AllowSensitive: &allow}))
		},
		audit.RemoveMember: func(ctx context.Context, c *api.Client) error { return c.RemoveMember(ctx, "NOBODY") },
		audit.CreateToken: func(ctx context.Context, c *api.Client) error {
			return second(c.CreateToken(ctx, api.TokenCreate{Name: "x", API: "no-such"}, ""))
		},
		audit.DuplicateToken: func(ctx context.Context, c *api.Client) error {
			return second(c.DuplicateToken(ctx, sid, api.TokenDuplicate{Name: "x"}, ""))
		},
		audit.EditToken: func(ctx context.Context, c *api.Client) error { return second(c.EditToken(ctx, sid, api.TokenEdit{})) },
		audit.ResetToken: func(ctx context.Context, c *api.Client) error {
			return second(c.ResetToken(ctx, sid, api.TokenReset{}))
		},
		audit.UpgradeToken: func(ctx context.Context, c *api.Client) error {
			return second(c.UpgradeToken(ctx, sid, api.TokenUpgrade{}))
		},
		audit.DisableToken: func(ctx context.Context, c *api.Client) error { return second(c.DisableToken(ctx, sid, api.Why{})) },
		audit.EnableToken: func(ctx context.Context, c *api.Client) error {
			return second(c.EnableToken(ctx, sid, api.TokenEnable{}))
		},
		audit.DeleteToken: func(ctx context.Context, c *api.Client) error { return second(c.DeleteToken(ctx, sid, api.Why{})) },
	}
}

// TestEveryActAsksTheGateOfTheCaller is the table of who may do what (OWASP ASVS 5.0, 8.1.1), over the wire:
// every caller, with every scope that it can hold, and every act, its own account and another's.
func TestEveryActAsksTheGateOfTheCaller(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	documents, err := authority.DocumentsFrom(catalogue.FS)
	if err != nil {
		t.Fatal(err)
	}
	calls := acts(documents)
	_, accessSecret := w.accessToken("ordinary", "jobs.get-job")
	callers := []struct {
		name   string
		client *api.Client
		passes map[string]bool // by the least role of the table
	}{
		{"the operator's token", w.zero(0, w.every(0)...).For(agency), map[string]bool{"Operator": true, "Account Administrator": true, "Implementation Specialist": true}},
		{"the account's token", w.zero(agency, w.every(agency)...), map[string]bool{"Account Administrator": true, "Implementation Specialist": true}},
		{"the account's token that reads", w.zero(agency, "tokens.list-tokens", "members.list-members", "history.list-history"), nil},
		{"another account's token", w.zero(other, w.every(other)...).For(agency), nil},
		{"an access token", w.client("", accessSecret), nil},
	}
	onPages := map[audit.Action]bool{audit.InviteOperator: true} // acts of people alone
	for action, least := range authority.Gates() {
		if onPages[action] {
			continue
		}
		call := calls[action]
		if call == nil {
			t.Errorf("%s: the management API has no such act, or this test does not call it", action)
			continue
		}
		for _, by := range callers {
			err := call(ctx, by.client)
			var refusal *api.Error
			if err != nil && !errors.As(err, &refusal) {
				t.Errorf("%s by %s: %v", action, by.name, err)
				continue
			}
			passed := refusal == nil
			if refusal != nil { // what names nothing that exists fails behind the gate
				switch refusal.Code {
				case api.CodeInvalid, api.CodeConflict:
					passed = true
				case api.CodeNotFound:
					passed = refusal.Detail != api.NotFound("account").Detail
				}
			}
			if passed != by.passes[least] {
				t.Errorf("%s (%s) by %s: passed %t: %v", action, least, by.name, passed, err)
			}
		}
	}
	if t.Failed() {
		return
	}
	// Nothing of all this may have been done by those who may not.
	members, err := w.authority.Members(ctx, operator, agency)
	if err != nil || len(members) != 1 {
		t.Errorf("%d members: %v", len(members), err)
	}
}

// The attack: ids of another account are tried until an answer differs from that to a made-up one
// (SECURITY.md, class 35).
func TestForeignReadsAsAbsent(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	foreignSID, _ := w.accessToken("foreign", "jobs.get-job")
	foreignZero, _ := w.zeroToken(agency, "self.whoami")
	foreignPerson := w.contact(agency)
	deleted, _ := w.accessToken("deleted", "jobs.get-job")
	if _, err := w.authority.DeleteToken(ctx, operator, agency, deleted, ""); err != nil {
		t.Fatal(err)
	}
	_, secret := w.zeroToken(other, w.every(other)...)
	_, own := w.zeroToken(agency, w.every(agency)...)

	bodies := map[string]string{
		"edit-token": `{"revision":1,"name":"x"}`, "duplicate-token": `{"name":"x"}`, "upgrade-token": `{"revision":0}`,
		"edit-member": `{"role":"analyst"}`, "explain-request": `{"method":"GET","path":"/x"}`,
		"create-token": `{"name":"x","scopes":[]}`, "invite-member": `{"email":"x@example.com","name":"x","role":"analyst"}`,
	}
	same := func(what string, a, b sent) {
		t.Helper()
		pa, pb := a.problem(), b.problem()
		pa.RequestID, pb.RequestID = "", ""
		if a.status != 404 || fmt.Sprintf("%+v", pa) != fmt.Sprintf("%+v", pb) {
			t.Errorf("%s: %d %s\nbut what does not exist: %d %s", what, a.status, a.body, b.status, b.body)
		}
	}
	for _, op := range operations(t) {
		fill := func(id string) string {
			path := target(op.Path)
			for _, made := range []string{"0000000000000000000000", "NOBODY"} {
				path = replaceOnce(path, made, id)
			}
			return path
		}
		if path := target(op.Path); path != op.Path && op.Tags[0] != "Accounts" {
			absent := w.send(op.Method, path, secret, bodies[op.OperationID])
			for _, id := range []string{foreignSID, foreignZero, foreignPerson} {
				same(op.OperationID, w.send(op.Method, fill(id), secret, bodies[op.OperationID]), absent)
			}
			if op.Tags[0] == "Tokens" {
				same(op.OperationID+" of a deleted one", w.send(op.Method, fill(deleted), own, bodies[op.OperationID]), w.send(op.Method, path, own, bodies[op.OperationID]))
			}
		}
		if op.Tags[0] == "Tokens" || op.Tags[0] == "Members" || op.OperationID == "list-history" || op.OperationID == "export-history" {
			path := target(op.Path)
			same(op.OperationID+" for an account",
				w.send(op.Method, path+"?account=1001", secret, bodies[op.OperationID]),
				w.send(op.Method, path+"?account=4242", secret, bodies[op.OperationID]))
		}
	}
	same("explain",
		w.send("POST", "/api/v1/explain", secret, `{"method":"GET","path":"/x","sid":"`+foreignSID+`"}`),
		w.send("POST", "/api/v1/explain", secret, `{"method":"GET","path":"/x","sid":"0000000000000000000000"}`))
}

func replaceOnce(path, made, id string) string {
	for i := 0; i+len(made) <= len(path); i++ {
		if path[i:i+len(made)] == made {
			return path[:i] + id + path[i+len(made):]
		}
	}
	return path
}
