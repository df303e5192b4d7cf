package attest

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence"
	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/provenance"
)

// WithdrawRequest says which signed statement is taken back. Statement, Reason and Signer are required.
type WithdrawRequest struct {
	Statement string // file with the bundle that is taken back
	By        string // file with the bundle that takes its place; "" is none
	Reason    string
	Bundles   string // folder, or a file NAME.jsonl; "" is the folder of Statement
	Signer    Signer
	CacheDir  string
	Now       func() time.Time
}

// Withdraw signs that an earlier statement of the same signer no longer stands. Readers honour it only if whoever signs it
// is a principal who signed what is taken back.
func Withdraw(ctx context.Context, req WithdrawRequest) (*Result, error) {
	if req.Now == nil {
		req.Now = time.Now
	}
	if req.Signer == nil {
		return nil, fault.Usagef("withdraw", "nothing to sign with").WithHint("--key FILE, --kms URI or --keyless")
	}
	if strings.TrimSpace(req.Reason) == "" {
		return nil, fault.Usagef("withdraw", "--reason is missing").WithHint("say why: whoever relied on the statement will read it")
	}
	b, err := oneBundle(req.Statement)
	if err != nil {
		return nil, err
	}
	var by *evidence.Bundle
	if req.By != "" {
		if by, err = oneBundle(req.By); err != nil {
			return nil, err
		}
	}
	payload, subject, err := evidence.Withdraw(b, by, req.Reason, req.Now())
	if err != nil {
		return nil, err
	}
	if req.Bundles == "" {
		req.Bundles = filepath.Dir(req.Statement)
	}
	if err := provenance.CheckPlace(req.Bundles); err != nil {
		return nil, err
	}
	st, err := openStore(req.CacheDir)
	if err != nil {
		return nil, err
	}
	stem := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(req.Statement), ".json"), ".sigstore") + ".withdrawal"
	w := &provenance.Writer{Signer: req.Signer, Store: st, To: req.Bundles, Step: func(string, ...any) {}}
	err = w.All(ctx, []provenance.Statement{{Stem: stem, Artefact: subject, Predicate: evidence.PredicateWithdrawal, Payload: payload}})
	return &Result{Bundles: w.Bundles, Unsigned: w.Unsigned}, err
}

func oneBundle(file string) (*evidence.Bundle, error) {
	data, err := evidence.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return evidence.Parse(file, data)
}
