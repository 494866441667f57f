package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/examples/catalogue"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/rest"
	"counterfoil.dev/counterfoil/internal/seal"
	"counterfoil.dev/counterfoil/internal/store"
	"counterfoil.dev/counterfoil/internal/verify"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"counterfoil": main})
}

// Scripts that begin with client_ find a desk at COUNTERFOIL_URL: the sample catalogue, agency 1001 with
// the member ada@northwind.example, and brand 2001. COUNTERFOIL_TOKEN is the agency's, OPERATOR_TOKEN the
// operator's, both with every scope that they may hold. SAMPLE and API are folders of the repository.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("SAMPLE", filepath.Join(root, "examples", "catalogue"))
			env.Setenv("API", filepath.Join(root, "api"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			if !strings.Contains(filepath.Base(env.WorkDir), "client_") {
				return nil
			}
			return openDesk(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"capture": capture, "exits": exits, "capture-profile": captureProfile},
	})
}

// capture sets a variable to the first group of a pattern in what was printed last.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME PATTERN")
	}
	match := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if match == nil {
		ts.Fatalf("no match of %s", args[1])
	}
	ts.Setenv(args[0], match[1])
}

// captureProfile writes what the environment says as a profile of a name, and the operator's token as the
// default one.
func captureProfile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: capture-profile NAME")
	}
	text := ""
	for name, token := range map[string]string{args[0]: ts.Getenv(tokenVariable), defaultProfile: ts.Getenv("OPERATOR_TOKEN")} {
		text += fmt.Sprintf("%s:\n  url: %s\n  token: %s\n", name, ts.Getenv(urlVariable), token)
	}
	ts.Check(os.WriteFile(ts.MkAbs("config/counterfoil/profiles.yaml"), []byte(text), 0o600))
}

// exits runs a command and holds its exit code against the one that is named.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ...")
	}
	code := 0
	var ended *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
		code = ended.ExitCode()
	} else if err != nil {
		ts.Fatalf("running %s: %v", args[1], err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%s ended with %d, want %s", args[1], code, args[0])
	}
}

// openDesk runs the control plane, a verifier and the management API for one script.
func openDesk(env *testscript.Env) error {
	ctx, stop := context.WithCancel(context.Background())
	dir, err := os.MkdirTemp(env.WorkDir, ".desk-*")
	if err != nil {
		stop()
		return err
	}
	db, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "desk.db"))
	if err != nil {
		stop()
		return err
	}
	server := httptest.NewUnstartedServer(nil)
	verifying := make(chan error, 1)
	env.Defer(func() {
		server.Close()
		stop()
		if err := errors.Join(ended(<-verifying), db.Close()); err != nil {
			env.T().Fatal(err)
		}
	})
	url := "http://" + server.Listener.Addr().String()
	key, err := seal.LoadOrCreate(filepath.Join(dir, "key"))
	if err != nil {
		return errors.Join(err, unstarted(verifying))
	}
	log := slog.New(slog.DiscardHandler)
	desk, err := authority.Open(ctx, authority.Config{DB: db, BaseURL: url, Key: key, ExpiryDefault: 365, Zero: rest.Document(), Log: log})
	if err != nil {
		return errors.Join(err, unstarted(verifying))
	}
	verifier, err := verify.New(verify.Config{Source: desk.Feed("script"), Node: "script", Console: url})
	if err != nil {
		return errors.Join(err, unstarted(verifying))
	}
	go func() { verifying <- verifier.Run(ctx) }()
	if err := ready(verifier); err != nil {
		return err
	}
	server.Config.Handler = httpx.Wrap(rest.New(rest.Config{Authority: desk, Verifier: verifier, Log: log}), httpx.Config{Log: log, MaxBody: -1})
	server.Start()
	env.Setenv("COUNTERFOIL_URL", url)
	return populate(ctx, env, db, desk)
}

// ready waits until the verifier has read its first snapshot.
func ready(verifier *verify.Verifier) error {
	look, late := time.NewTicker(time.Millisecond), time.After(10*time.Second)
	defer look.Stop()
	for !verifier.Ready() {
		select {
		case <-look.C:
		case <-late:
			return errors.New("the verifier never became ready")
		}
	}
	return nil
}

// unstarted says that there is no verifier to wait for.
func unstarted(verifying chan error) error {
	verifying <- nil
	return nil
}

func populate(ctx context.Context, env *testscript.Env, db *store.DB, desk *authority.Authority) error {
	operator := authority.Actor{Name: "Olga Operator", Operator: true, Role: api.RoleAdministrator}
	documents, err := authority.DocumentsFrom(catalogue.FS)
	if err != nil {
		return err
	}
	if _, err := desk.PublishCatalogue(ctx, operator, api.CatalogUpload{Documents: documents}); err != nil {
		return err
	}
	for _, a := range []api.AccountCreate{{ID: 1001, Kind: api.KindAgency, Name: "Northwind Agency"}, {ID: 2001, Kind: api.KindBrand, Name: "Blue Brand"}} {
		if _, err := desk.CreateAccount(ctx, operator, a); err != nil {
			return err
		}
	}
	ada, err := desk.InviteMember(ctx, operator, 1001, api.MemberInvite{Email: "ada@northwind.example", Name: "Ada Northwind", Role: api.RoleAdministrator})
	if err != nil {
		return err
	}
	at := time.Now().UnixMicro()
	if _, err := db.Act(ctx, func(tx *store.Tx) error {
		_, err := tx.JoinMember(ctx, store.JoinMemberParams{Account: 1001, Person: ada.Person, At: &at})
		return err
	}); err != nil {
		return err
	}
	for variable, account := range map[string]int64{"COUNTERFOIL_TOKEN": 1001, "OPERATOR_TOKEN": 0} {
		offer, err := desk.Offer(ctx, operator, account)
		if err != nil {
			return err
		}
		made, err := desk.CreateToken(ctx, operator, account, api.TokenCreate{
			Name: "management", API: authority.ZeroAPI, Scopes: mayHold(offer), PrimaryContact: map[int64]string{1001: ada.Person}[account],
		}, authority.Once{})
		if err != nil {
			return fmt.Errorf("making %s: %w", variable, err)
		}
		env.Setenv(variable, made.Secret.Reveal())
	}
	return nil
}

// mayHold lists the scopes of the management API that a token of the account may hold.
func mayHold(offer api.Offer) []string {
	var scopes []string
	for _, a := range offer.APIs {
		if !a.Zero {
			continue
		}
		for _, c := range a.Versions[0].Categories {
			for _, s := range c.Scopes {
				if s.Allowed {
					scopes = append(scopes, s.Name)
				}
			}
		}
	}
	return scopes
}
