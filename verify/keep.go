package verify

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/glassbuild/glassbuild/internal/fault"
	"github.com/glassbuild/glassbuild/internal/report"
)

// keep leaves what a person may want to look at: the verdict, the run record, the recipe, logs and outputs.
func (r *run) keep(res *Result) error {
	dir := r.req.Keep
	js, err := report.JSON(res.Verdict)
	if err != nil {
		return err
	}
	rec, err := json.MarshalIndent(res.Record, "", "  ")
	if err != nil {
		return err
	}
	files := map[string][]byte{"verdict.json": js, "verdict.txt": report.Text(res.Verdict, report.Style{}), "record.json": append(rec, '\n')}
	if r.recipe != nil {
		files["glassbuild.toml"] = r.recipe.Recipe.TOML()
	}
	return r.write(dir, files)
}

func (r *run) write(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fault.Inconclusivef(fault.Quote(dir), "cannot be written: %w", bare(err))
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return fault.Inconclusivef(fault.Quote(dir), "cannot be written: %w", bare(err))
		}
	}
	if r.outcome == nil {
		return nil
	}
	return errors.Join(r.outcome.KeepLogs(dir), r.outcome.KeepOutputs(filepath.Join(dir, "out")))
}
