// A trial in a region without availability zones, by the longest name that is allowed.
using '../../../infra/main.bicep'

param environmentName = 'segments-of-the-whole-group-for-all-newsletters-of-all-countries'
param location = 'westus'
param alertEmail = 'operators@example.com'
param storageRedundancy = 'Standard_LRS'
param purgeProtection = false
param exportSchedule = '0 0 2 * * 1-5'
param lookEveryMinutes = 20
