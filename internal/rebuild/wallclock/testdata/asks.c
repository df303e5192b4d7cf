/* Asks for the time in every way, and waits until a moment of it in every way: a wait that does not end, ends the program by the alarm. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static struct timespec soon(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	t.tv_nsec += 20 * 1000 * 1000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

/* Returns how many of the waits did not end by their time. */
static int waits(void)
{
	sem_t sem;
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t real = PTHREAD_COND_INITIALIZER, mono;
	pthread_condattr_t attr;
	struct timespec t;
	struct itimerspec timer = {{0, 0}, {0, 0}};
	long long ticks;
	int fd, wrong = 0;

	sem_init(&sem, 0, 0);
	t = soon(CLOCK_REALTIME);
	wrong += sem_timedwait(&sem, &t) != -1 || errno != ETIMEDOUT;
	pthread_mutex_lock(&mutex);
	t = soon(CLOCK_REALTIME);
	wrong += pthread_cond_timedwait(&real, &mutex, &t) != ETIMEDOUT;
	t = soon(CLOCK_REALTIME);
	wrong += pthread_mutex_timedlock(&mutex, &t) != ETIMEDOUT;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&mono, &attr);
	t = soon(CLOCK_MONOTONIC);
	wrong += pthread_cond_timedwait(&mono, &mutex, &t) != ETIMEDOUT;
	t = soon(CLOCK_REALTIME);
	wrong += clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL) != 0;
	t.tv_sec = 0;
	t.tv_nsec = 1000;
	wrong += clock_nanosleep(CLOCK_REALTIME, 0, &t, NULL) != 0;
	fd = timerfd_create(CLOCK_REALTIME, 0);
	timer.it_value = soon(CLOCK_REALTIME);
	wrong += timerfd_settime(fd, TFD_TIMER_ABSTIME, &timer, NULL) != 0;
	wrong += read(fd, &ticks, sizeof ticks) != sizeof ticks || ticks != 1;
	return wrong;
}

int main(void)
{
	struct timespec t;
	struct timeval v;
	time_t now = 0, told;
	int bad;

	alarm(60);
	clock_gettime(CLOCK_REALTIME, &t);
	gettimeofday(&v, NULL);
	told = time(&now);
	printf("clock %lld day %lld time %lld %lld %lld ", (long long)t.tv_sec, (long long)v.tv_sec, (long long)told, (long long)now, (long long)time(NULL));
	timespec_get(&t, TIME_UTC);
	printf("utc %lld other %d ", (long long)t.tv_sec, timespec_get(&t, 77));
	clock_gettime(CLOCK_MONOTONIC, &t);
	printf("mono %lld ", (long long)t.tv_sec);
	clock_gettime(CLOCK_TAI, &t);
	printf("tai %lld ", (long long)t.tv_sec);
	errno = 0;
	bad = clock_gettime(9999, &t);
	printf("bad %d %d null %d ", bad, errno, gettimeofday(NULL, NULL));
	printf("waited %d\n", waits());
	return 0;
}
