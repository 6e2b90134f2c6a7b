package series

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"flashsale/test/harness"
)

var opts = prometheus.CounterOpts{Name: "presses_total", Help: "Presses."}

// scraped reads a family as a scraper does: by "sale/kind".
func scraped(t testing.TB, f *Family) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(f))
	families, err := registry.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, m := range families[0].GetMetric() {
		name := ""
		for _, label := range []string{"sale", "outcome"} {
			for _, pair := range m.GetLabel() {
				if pair.GetName() == label {
					name += "/" + pair.GetValue()
				}
			}
		}
		values[name[1:]] = m.GetCounter().GetValue()
	}
	return values
}

func salesOf(values map[string]float64, kinds int) int { return len(values)/kinds - 1 } // less Other

func TestSalesHaveSeriesOfTheirOwn(t *testing.T) {
	f := New(opts, "outcome", []string{"queued", "sold_out"})
	require.Equal(t, map[string]float64{"other/queued": 0, "other/sold_out": 0}, scraped(t, f), "before the first sale")
	f.Sale("a").Add(0, 1)
	f.Sale("a").Add(1, 3)
	f.Sale("b")
	f.Add(1, 2)
	require.Equal(t, map[string]float64{
		"a/queued": 1, "a/sold_out": 3, "b/queued": 0, "b/sold_out": 0, "other/queued": 0, "other/sold_out": 2,
	}, scraped(t, f), "a sale has every series from its start")
	require.True(t, f.Sale("a").Any())
	require.False(t, f.Sale("b").Any())
	require.Equal(t, int64(3), f.Sale("a").Total(1))
}

// A sale may be named as the series of all others is: a second series of this name would make the whole page of metrics an error.
func TestASaleNamedOther(t *testing.T) {
	f := New(opts, "outcome", []string{"queued"})
	f.Sale(Other).Add(0, 4)
	f.Add(0, 1)
	require.Equal(t, map[string]float64{"other/queued": 5}, scraped(t, f))
	f.Judge(time.Now(), nil)
	f.Sale(Other).Add(0, 1)
	require.Equal(t, map[string]float64{"other/queued": 6}, scraped(t, f))
	for i := range MaxSales {
		f.Sale(fmt.Sprint("busy-", i)).Add(0, 1000)
	}
	f.Judge(time.Now(), nil)
	require.Equal(t, 6.0, scraped(t, f)["other/queued"])
}

// filled returns a family in which MaxSales sales have counted n each.
func filled(n int64) *Family {
	f := New(opts, "outcome", []string{"queued"})
	for i := range MaxSales {
		f.Sale(fmt.Sprintf("s-%03d", i)).Add(0, n)
	}
	return f
}

// The busiest get series, and take them from the quietest; those keep their last values for a minute.
func TestTheBusiestHaveSeries(t *testing.T) {
	f, now := filled(100), time.Now()
	f.Judge(now, nil)
	hot := f.Sale("hot")
	hot.Add(0, 150)
	f.Judge(now, nil)
	require.NotContains(t, scraped(t, f), "hot/queued", "busier, but not twice as busy")
	hot.Add(0, 1000)
	f.Judge(now, nil)
	values := scraped(t, f)
	require.Equal(t, 0.0, values["hot/queued"], "a series begins at 0")
	require.Equal(t, 1150.0, values["other/queued"], "what was counted before stays where it was")
	require.Equal(t, 100.0, values["s-099/queued"], "the last value of the sale that lost its series")
	hot.Add(0, 7)
	f.Sale("s-099").Add(0, 5)
	values = scraped(t, f)
	require.Equal(t, []float64{7, 100, 1155}, []float64{values["hot/queued"], values["s-099/queued"], values["other/queued"]})
	require.Equal(t, MaxSales+1, salesOf(values, 1))
	f.Judge(now.Add(lingers), nil)
	values = scraped(t, f)
	require.NotContains(t, values, "s-099/queued")
	require.Equal(t, MaxSales, salesOf(values, 1))
	f.Sale("s-099").Add(0, 100_000)
	f.Judge(now.Add(lingers), nil)
	require.Equal(t, 100.0, scraped(t, f)["s-099/queued"], "it continues")
}

// Many busy sales at once replace others by and by, so that the number of series that a scraper ever sees stays small.
func TestReplacementsAreBounded(t *testing.T) {
	f, now := filled(1), time.Now()
	f.Judge(now, nil)
	for i := range 3 * MaxSales {
		f.Sale(fmt.Sprint("hot-", i)).Add(0, 1_000_000+int64(i))
	}
	most := 0
	for step := range 60 {
		f.Judge(now.Add(time.Duration(step)*JudgeEvery), nil)
		values := scraped(t, f)
		require.LessOrEqual(t, salesOf(values, 1), MaxSales+MaxLeaving)
		most = max(most, salesOf(values, 1))
		if step == 0 {
			require.Contains(t, values, "hot-299/queued", "the busiest first")
			require.Equal(t, MaxSales+replaced, salesOf(values, 1))
		}
	}
	require.Equal(t, MaxSales+MaxLeaving, most)
}

// Sales that were never counted give way at once and in any number, those that sell before those that do not.
func TestSalesWithoutACountGiveWay(t *testing.T) {
	f, now := filled(0), time.Now()
	for i := range 40 {
		f.Sale(fmt.Sprint("open-", i))
	}
	f.Judge(now, func(id string) int {
		if id[0] == 'o' {
			return 1
		}
		return 0
	})
	values := scraped(t, f)
	require.Equal(t, MaxSales, salesOf(values, 1))
	for i := range 40 {
		require.Contains(t, values, fmt.Sprintf("open-%d/queued", i))
	}
}

func TestAForgottenSale(t *testing.T) {
	f, now := filled(10), time.Now()
	f.Sale("late").Add(0, 3)
	f.Judge(now, nil)
	f.Forget("late")
	f.Forget("late")
	f.Forget("s-000")
	values := scraped(t, f)
	require.Equal(t, 3.0, values["other/queued"], "the series of the others does not go backwards")
	require.NotContains(t, values, "s-000/queued")
	f.Sale("new").Add(0, 1)
	require.Equal(t, 1.0, scraped(t, f)["new/queued"], "there is room again")
}

// Over any course of events, each series only rises as long as it exists and when it is back, and what the series of a scraper
// have risen by is what was counted.
func TestNoSeriesGoesBackwardsAndNoCountIsLost(t *testing.T) {
	random, now := rand.New(rand.NewPCG(1, 2)), time.Now()
	f := New(opts, "outcome", []string{"queued", "sold_out"})
	counted, risen, last := 0.0, 0.0, map[string]float64{}
	for range 400 {
		at := random.IntN(400) // the crowd wanders
		for range random.IntN(2000) {
			s := f.Sale(fmt.Sprint("sale-", (at+random.IntN(150))%400))
			s.Add(random.IntN(2), 1)
			counted++
		}
		f.Add(1, 1)
		counted++
		now = now.Add(JudgeEvery)
		f.Judge(now, nil)
		for name, value := range scraped(t, f) {
			require.GreaterOrEqual(t, value, last[name], name)
			risen += value - last[name]
			last[name] = value
		}
	}
	require.Equal(t, counted, risen)
	require.Greater(t, len(last), 2*2*MaxSales, "sales were replaced")
}

// Counting goes on while series are given and taken.
func TestCountsInParallelAreExact(t *testing.T) {
	f, now := New(opts, "outcome", []string{"queued"}), time.Now()
	var counting sync.WaitGroup
	const workers, each, sales = 4, 20_000, 3 * MaxSales
	for w := range workers {
		counting.Go(func() {
			for i := range each {
				f.Sale(fmt.Sprint("sale-", (w*each+i*7)%sales)).Add(0, 1)
			}
		})
	}
	ended := make(chan struct{})
	go func() { counting.Wait(); close(ended) }()
	for running := true; running; {
		select {
		case <-ended:
			running = false
		default:
			now = now.Add(JudgeEvery)
			f.Judge(now, nil)
			scraped(t, f)
		}
	}
	var all int64
	for i := range sales {
		all += f.Sale(fmt.Sprint("sale-", i)).Total(0)
	}
	require.Equal(t, int64(workers*each), all)
}

func TestCountingDoesNotAllocate(t *testing.T) {
	f := filled(1)
	in, out := f.Sale("s-000"), f.Sale("beyond")
	harness.NoAllocations(t, 200, func() { in.Add(0, 1); out.Add(0, 1); f.Add(0, 1) })
}

func BenchmarkAdd(b *testing.B) {
	f := filled(1)
	s := f.Sale("s-000")
	b.RunParallel(func(loop *testing.PB) {
		for loop.Next() {
			s.Add(0, 1)
		}
	})
}

// BenchmarkCollect is the cost of a scrape: 26 outcomes, a hundred sales with series and the rest without.
func BenchmarkCollect(b *testing.B) {
	for _, sales := range []int{1, MaxSales, 10_000} {
		b.Run(fmt.Sprint(sales), func(b *testing.B) {
			f := New(opts, "outcome", make([]string, 26))
			for i := range f.kinds {
				f.kinds[i] = fmt.Sprint("outcome-", i)
			}
			for i := range sales {
				f.Sale(fmt.Sprint("sale-", i)).Add(i%26, 1)
			}
			registry := prometheus.NewRegistry()
			registry.MustRegister(f)
			for b.Loop() {
				if _, err := registry.Gather(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkJudge is the cost of a judgement of ten thousand sales.
func BenchmarkJudge(b *testing.B) {
	f, now := New(opts, "outcome", make([]string, 26)), time.Now()
	for i := range 10_000 {
		f.Sale(fmt.Sprint("sale-", i)).Add(i%26, int64(i))
	}
	for b.Loop() {
		now = now.Add(JudgeEvery)
		f.Judge(now, nil)
	}
}
