package authority

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// terms are the account's rules on how long a token may live, in days.
type terms struct{ def, max int64 }

func (a *Authority) terms(row store.Account) terms {
	t := terms{a.expDef, a.expMax}
	if row.ExpiryDefault != nil {
		t.def = *row.ExpiryDefault
	}
	if row.ExpiryMax != nil {
		t.max = *row.ExpiryMax
	}
	return t.settled()
}

// settled keeps the default within the maximum.
func (t terms) settled() terms {
	if t.max > 0 && (t.def == 0 || t.def > t.max) {
		t.def = t.max
	}
	return t
}

// Account reads one account.
func (a *Authority) Account(ctx context.Context, by Actor, id int64) (api.Account, error) {
	if err := by.mustSee(id); err != nil {
		return api.Account{}, err
	}
	return a.account(ctx, a.db.Read(), id)
}

func (a *Authority) account(ctx context.Context, q *store.Queries, id int64) (api.Account, error) {
	row, err := q.Account(ctx, id)
	if row, err = read("account", row, err); err != nil {
		return api.Account{}, err
	}
	withheld, err := q.Withheld(ctx, id)
	if err != nil {
		return api.Account{}, fmt.Errorf("reading withheld scopes: %w", err)
	}
	out, err := accountOf(row)
	if err != nil {
		return api.Account{}, err
	}
	for _, w := range withheld {
		out.Withheld = append(out.Withheld, api.WithheldScope{API: w.Api, Scope: w.Scope})
	}
	return out, nil
}

func accountOf(row store.Account) (api.Account, error) {
	limits, err := accountLimitsOf(row.ID, row.Limits)
	return api.Account{
		ID: row.ID, Kind: api.AccountKind(row.Kind), Name: row.Name, Created: when(row.CreatedAt),
		Suspended: whenever(row.SuspendedAt), SuspendedWhy: row.SuspendedWhy,
		ExpiryDefault: row.ExpiryDefault, ExpiryMax: row.ExpiryMax, Limits: limits,
		Withheld: []api.WithheldScope{}, Revision: row.Revision,
	}, err
}

// AccountQuery filters the operator's list of accounts.
type AccountQuery struct {
	Search string
	Kind   api.AccountKind
	Cursor string // of the page before; "" for the first
	Limit  int    // 1 to 200; 0 means 50
}

// Accounts lists accounts by id. Only an operator sees more than the own.
func (a *Authority) Accounts(ctx context.Context, by Actor, q AccountQuery) (api.Page[api.Account], error) {
	page := api.Page[api.Account]{Items: []api.Account{}}
	if !by.Operator {
		own, err := a.Account(ctx, by, by.Account)
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, own)
		return page, nil
	}
	var after int64
	if q.Cursor != "" {
		var err error
		if after, err = strconv.ParseInt(q.Cursor, 10, 64); err != nil {
			return page, badCursor()
		}
	}
	limit := pageSize(q.Limit)
	rows, err := a.db.Read().Accounts(ctx, store.AccountsParams{Q: fold(q.Search), Kind: string(q.Kind), After: after, N: int64(limit) + 1})
	if err != nil {
		return page, fmt.Errorf("listing accounts: %w", err)
	}
	if len(rows) > limit {
		rows = rows[:limit]
		page.Next = strconv.FormatInt(rows[limit-1].ID, 10)
	}
	for _, row := range rows {
		one, err := accountOf(row)
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, one)
	}
	return page, nil
}

func pageSize(n int) int {
	switch {
	case n <= 0:
		return 50
	case n > 200:
		return 200
	default:
		return n
	}
}

func badCursor() error {
	return api.Invalid("cursor", "is not one that a list answered; leave it out for the first page")
}

func accountSubject(id int64, name string) audit.Subject {
	return audit.Subject{Kind: audit.OnAccount, ID: strconv.FormatInt(id, 10), Name: name}
}

// CreateAccount makes an account under the platform's own number.
func (a *Authority) CreateAccount(ctx context.Context, by Actor, in api.AccountCreate) (api.Account, error) {
	var bad faults
	if in.ID < 1 || in.ID > api.MaxAccountID {
		bad.add("id", fmt.Sprintf("must be the platform's own number, from 1 to %d", int64(api.MaxAccountID)))
	}
	if !slices.Contains([]api.AccountKind{api.KindAgency, api.KindBrand, api.KindPartner}, in.Kind) {
		bad.add("kind", "must be agency, brand or partner")
	}
	name, fault := CleanName(in.Name)
	if fault != "" {
		bad.add("name", fault)
	}
	if err := bad.err(); err != nil {
		return api.Account{}, err
	}
	_, err := a.act(ctx, by, audit.CreateAccount, in.ID, func(tx *store.Tx) error {
		err := tx.AddAccount(ctx, store.AddAccountParams{
			ID: in.ID, Kind: string(in.Kind), Name: name, NameKey: fold(name), CreatedAt: a.now().UnixMicro(),
		})
		if a.db.Conflict(err) {
			return api.Conflict(fmt.Sprintf("There is an account %d already.", in.ID))
		} else if err != nil {
			return fmt.Errorf("adding an account: %w", err)
		}
		tx.Record(a.event(by, audit.CreateAccount, in.ID, accountSubject(in.ID, name),
			audit.Detail{Field: "kind", After: string(in.Kind)}), accountEntry(api.AccountFacts{Account: in.ID}))
		return nil
	})
	if err != nil {
		return api.Account{}, err
	}
	return a.Account(ctx, by, in.ID)
}

// EditAccount changes name, expiry rules and limits.
func (a *Authority) EditAccount(ctx context.Context, by Actor, id int64, in api.AccountEdit) (api.Account, error) {
	_, err := a.act(ctx, by, audit.EditAccount, id, func(tx *store.Tx) error {
		row, err := tx.Account(ctx, id)
		if row, err = read("account", row, err); err != nil {
			return err
		}
		before := row
		var bad faults
		if in.Name != nil {
			name, fault := CleanName(*in.Name)
			if fault != "" {
				bad.add("name", fault)
			}
			row.Name = name
		}
		row.ExpiryDefault = days(row.ExpiryDefault, in.ExpiryDefault, "expiry_default", &bad)
		row.ExpiryMax = days(row.ExpiryMax, in.ExpiryMax, "expiry_max", &bad)
		if in.Limits != nil {
			row.Limits = limitsText(cleanAccountLimits(in.Limits, &bad))
		}
		if err := bad.err(); err != nil {
			return err
		}
		limits, err := accountLimitDetails(before, row)
		if err != nil {
			return err
		}
		n, err := tx.EditAccount(ctx, store.EditAccountParams{
			ID: id, Name: row.Name, NameKey: fold(row.Name),
			ExpiryDefault: row.ExpiryDefault, ExpiryMax: row.ExpiryMax, Limits: row.Limits, Revision: in.Revision,
		})
		if err != nil {
			return fmt.Errorf("editing an account: %w", err)
		}
		if n == 0 {
			return api.Conflict("Somebody else changed this account since you opened it. Look at it again, then repeat your change.")
		}
		return a.recordAccount(ctx, tx, id, a.event(by, audit.EditAccount, id, accountSubject(id, row.Name), append(changed(
			audit.Detail{Field: "name", Before: before.Name, After: row.Name},
			audit.Detail{Field: "expiry_default", Before: daysWords(before.ExpiryDefault), After: daysWords(row.ExpiryDefault)},
			audit.Detail{Field: "expiry_max", Before: daysWords(before.ExpiryMax), After: daysWords(row.ExpiryMax)},
		), limits...)...))
	})
	if err != nil {
		return api.Account{}, err
	}
	return a.Account(ctx, by, id)
}

// days reads a new value of an expiry rule: -1 goes back to the installation's own.
func days(now, in *int64, field string, bad *faults) *int64 {
	switch {
	case in == nil:
		return now
	case *in == -1:
		return nil
	case *in < 0 || *in > 3650:
		bad.add(field, "must be from 0 (none) to 3650 days, or -1 for the installation's own")
		return now
	default:
		return in
	}
}

func daysWords(d *int64) string {
	switch {
	case d == nil:
		return "the installation's own"
	case *d == 0:
		return "none"
	default:
		return strconv.FormatInt(*d, 10) + " days"
	}
}

// changed keeps the details whose value changed.
func changed(details ...audit.Detail) []audit.Detail {
	return slices.DeleteFunc(details, func(d audit.Detail) bool { return d.Before == d.After })
}

// SuspendAccount ends every call of the account's tokens at once.
func (a *Authority) SuspendAccount(ctx context.Context, by Actor, id int64, why string) (api.Seq, error) {
	why, fault := cleanDescription(why)
	if fault != "" {
		return 0, api.Invalid("why", fault)
	}
	return a.act(ctx, by, audit.SuspendAccount, id, func(tx *store.Tx) error {
		row, err := tx.Account(ctx, id)
		if row, err = read("account", row, err); err != nil {
			return err
		}
		at := a.now().UnixMicro()
		n, err := tx.SuspendAccount(ctx, store.SuspendAccountParams{ID: id, At: &at, Why: why})
		if err != nil {
			return fmt.Errorf("suspending an account: %w", err)
		}
		if n == 0 {
			return api.Conflict("This account is suspended already.")
		}
		return a.recordAccount(ctx, tx, id, a.event(by, audit.SuspendAccount, id, accountSubject(id, row.Name), audit.Detail{Field: "why", After: why}))
	})
}

// ResumeAccount lets the account's tokens call again.
func (a *Authority) ResumeAccount(ctx context.Context, by Actor, id int64) (api.Seq, error) {
	return a.act(ctx, by, audit.ResumeAccount, id, func(tx *store.Tx) error {
		row, err := tx.Account(ctx, id)
		if row, err = read("account", row, err); err != nil {
			return err
		}
		n, err := tx.ResumeAccount(ctx, id)
		if err != nil {
			return fmt.Errorf("resuming an account: %w", err)
		}
		if n == 0 {
			return api.Conflict("This account is not suspended.")
		}
		return a.recordAccount(ctx, tx, id, a.event(by, audit.ResumeAccount, id, accountSubject(id, row.Name)))
	})
}

// recordAccount records an event with what verifiers must hear of the account as it stands in tx.
func (a *Authority) recordAccount(ctx context.Context, tx *store.Tx, id int64, e audit.Event) error {
	row, err := tx.Account(ctx, id)
	if err != nil {
		return fmt.Errorf("reading an account: %w", err)
	}
	brands, err := tx.ManagedBrands(ctx, id)
	if err != nil {
		return fmt.Errorf("reading managed brands: %w", err)
	}
	limits, err := accountLimitsOf(id, row.Limits)
	if err != nil {
		return err
	}
	facts := api.AccountFacts{Account: id, Suspended: row.SuspendedAt != nil, Limits: limits}
	for _, b := range brands {
		facts.Manages = append(facts.Manages, b.Brand)
	}
	tx.Record(e, accountEntry(facts))
	return nil
}

// Managements lists an account's links on either side, live and ended, newest first.
func (a *Authority) Managements(ctx context.Context, by Actor, account int64) ([]api.Management, error) {
	if err := by.mustSee(account); err != nil {
		return nil, err
	}
	rows, err := a.db.Read().Managements(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("listing management links: %w", err)
	}
	out := make([]api.Management, 0, len(rows))
	for _, r := range rows {
		out = append(out, api.Management{
			Agency: r.Agency, AgencyName: r.AgencyName, Brand: r.Brand, BrandName: r.BrandName,
			Starts: when(r.StartsAt), Ended: whenever(r.EndedAt),
		})
	}
	return out, nil
}

// CreateManagement lets an agency act on a brand from now on. Starts dates the link, for links that
// were agreed earlier; it may not lie ahead.
func (a *Authority) CreateManagement(ctx context.Context, by Actor, in api.ManagementCreate) (api.Seq, error) {
	starts := a.now()
	if in.Starts != nil {
		if in.Starts.After(starts.Add(time.Minute)) {
			return 0, api.Invalid("starts", "lies ahead; a link is in force from the moment it is made, so choose today or earlier")
		}
		starts = *in.Starts
	}
	return a.act(ctx, by, audit.CreateManagement, in.Agency, func(tx *store.Tx) error {
		agency, err := tx.Account(ctx, in.Agency)
		if agency, err = read("agency", agency, err); err != nil {
			return err
		}
		brand, err := tx.Account(ctx, in.Brand)
		if brand, err = read("brand", brand, err); err != nil {
			return err
		}
		var bad faults
		if agency.Kind != string(api.KindAgency) {
			bad.add("agency", fmt.Sprintf("%d is a %s; only an agency can manage", agency.ID, agency.Kind))
		}
		if brand.Kind != string(api.KindBrand) {
			bad.add("brand", fmt.Sprintf("%d is a %s; only a brand can be managed", brand.ID, brand.Kind))
		}
		if err := bad.err(); err != nil {
			return err
		}
		err = tx.AddManagement(ctx, store.AddManagementParams{ID: newID(), Agency: in.Agency, Brand: in.Brand, StartsAt: starts.UnixMicro()})
		if a.db.Conflict(err) {
			return api.Conflict("This agency manages that brand already.")
		} else if err != nil {
			return fmt.Errorf("adding a management link: %w", err)
		}
		return a.recordAccount(ctx, tx, in.Agency, a.event(by, audit.CreateManagement, in.Agency, accountSubject(in.Agency, agency.Name),
			audit.Detail{Field: "brand", After: fmt.Sprintf("%d %s", brand.ID, brand.Name)}))
	})
}

// EndManagement ends the link now: the agency's tokens no longer reach the brand.
func (a *Authority) EndManagement(ctx context.Context, by Actor, agency, brand int64) (api.Seq, error) {
	return a.act(ctx, by, audit.EndManagement, agency, func(tx *store.Tx) error {
		row, err := tx.Account(ctx, agency)
		if row, err = read("agency", row, err); err != nil {
			return err
		}
		at := a.now().UnixMicro()
		n, err := tx.EndManagement(ctx, store.EndManagementParams{Agency: agency, Brand: brand, At: &at})
		if err != nil {
			return fmt.Errorf("ending a management link: %w", err)
		}
		if n == 0 {
			return api.NotFound("management link")
		}
		return a.recordAccount(ctx, tx, agency, a.event(by, audit.EndManagement, agency, accountSubject(agency, row.Name),
			audit.Detail{Field: "brand", Before: strconv.FormatInt(brand, 10)}))
	})
}

// Withhold keeps an account from giving a scope, in every version. Tokens that hold it keep it: the
// diff on the operator's page names them, and a scope is cut from a token by an act of its own.
func (a *Authority) Withhold(ctx context.Context, by Actor, account int64, w api.WithheldScope) error {
	if !a.catalogue().hasScope(w.API, w.Scope) {
		return api.Invalid("scope", "is in no version of that API")
	}
	_, err := a.act(ctx, by, audit.WithholdScope, account, func(tx *store.Tx) error {
		row, err := tx.Account(ctx, account)
		if row, err = read("account", row, err); err != nil {
			return err
		}
		if err := tx.Withhold(ctx, store.WithholdParams{Account: account, Api: w.API, Scope: w.Scope}); err != nil {
			return fmt.Errorf("withholding a scope: %w", err)
		}
		tx.Record(a.event(by, audit.WithholdScope, account, accountSubject(account, row.Name), audit.Detail{Field: "scope", After: w.API + "/" + w.Scope}), nil)
		return nil
	})
	return err
}

// Release lets an account give a withheld scope again.
func (a *Authority) Release(ctx context.Context, by Actor, account int64, w api.WithheldScope) error {
	_, err := a.act(ctx, by, audit.ReleaseScope, account, func(tx *store.Tx) error {
		row, err := tx.Account(ctx, account)
		if row, err = read("account", row, err); err != nil {
			return err
		}
		n, err := tx.Release(ctx, store.ReleaseParams{Account: account, Api: w.API, Scope: w.Scope})
		if err != nil {
			return fmt.Errorf("releasing a scope: %w", err)
		}
		if n == 0 {
			return api.NotFound("withheld scope")
		}
		tx.Record(a.event(by, audit.ReleaseScope, account, accountSubject(account, row.Name), audit.Detail{Field: "scope", Before: w.API + "/" + w.Scope}), nil)
		return nil
	})
	return err
}
