package debian

import "testing"

// The order is that of deb-version(7) and of dpkg's own test suite.
func TestCompare(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1.0", "1.0", 0}, {"1.0", "1.1", -1}, {"1.9", "1.10", -1}, {"1:0.1", "9.9", 1}, {"0:1", "1", 0},
		{"1.0~rc1", "1.0", -1}, {"1.0~~", "1.0~", -1}, {"1.0", "1.0a", -1}, {"1.0a", "1.0+", -1}, {"1.0-1", "1.0", 1},
		{"1.0-0", "1.0", 0}, {"2.36-9+deb12u10", "2.36-9+deb12u9", 1}, {"001", "1", 0}, {"1.0-1~bpo1", "1.0-1", -1},
		{"5.36.0-7+deb12u3", "5.36.0-7", 1}, {"1.2.3-4-5", "1.2.3-4-6", -1}, {"99999999999999999999998", "99999999999999999999999", -1},
	} {
		if got := Compare(c.a, c.b); got != c.want {
			t.Errorf("Compare(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := Compare(c.b, c.a); got != -c.want {
			t.Errorf("Compare(%q, %q) = %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}
