"""What the studies of Zharikov, Isachenko & Bochkarev's report share: toy data, cells, their records and pictures."""
